"""The words of the grammar, by their part in a sentence and their language.

A word has one :class:`Part`. Latin words are without accents and in lower case; those of one language do not disturb
the others, since a sentence counts only if all its words have a part.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import NamedTuple


class Part(Enum):
    """What a word does in a sentence that says who made something."""

    AI = "names AI in the words of GB 45438-2025 5"
    AI_OTHER = "names AI in other words"
    MADE = "says that it was made"
    NOT = "denies, or forbids"
    NOT_AFTER = "denies what stands before it"
    ASKS = "asks"
    ACTS = "commands, offers, or is the subject of a headline"
    MAYBE = "leaves it open, or suspects"
    USES = "says that something was used"
    WAY = "names a technique"
    THING = "names what was made"
    FILL = "holds the sentence together"
    ADVICE = "begins advice to the reader"
    VENDOR = "names a service"
    SKIP = "is a number, a date or a handle"
    BREAK = "separates clauses"
    OTHER = "is unknown"


class Word(NamedTuple):
    """One entry: its part, and the language of a word that says that something was made."""

    part: Part
    language: str = ""


# --- Chinese: matched longest first, simplified and traditional -------------------------------------------------------

_CHINESE: dict[Part, str] = {
    Part.AI: "人工智能",
    Part.AI_OTHER: "人工智慧 人工知能 生成AI 生成式AI 生成式人工智能",
    Part.NOT: (
        "非 韭 菲 末 末使用 末经 禁上 未 无 無 没 没有 沒有 不是 不含 不使用 不采用 不採用 不用 未使用 未采用 "
        "未採用 未用 未经 未經 并非 並非 并不是 並不是 绝非 絕非 绝无 絕無 毫无 禁止 严禁 嚴禁 拒绝 拒絕 杜绝 "
        "杜絕 谢绝 謝絕 抵制 反对 反對 请勿 請勿 请勿使用 勿用 勿 零 不得 不得使用 不使用任何 不包含 不涉及 并未 "
        "並未 从未 從未 不由 无任何 非由 不接受"
    ),
    Part.NOT_AFTER: (
        "ではありません ではない じゃない でない ありません ません 使っていません 使用していません していません "
        "不使用 未使用"
    ),
    Part.ASKS: (
        "吗 嗎 么 是否 是不是 怎么 怎麼 怎样 怎樣 如何 哪 猜 为什么 為什麼 为何 為何 什么 什麼 难道 難道 谁 几张 "
        "能否 会不会 还是 還是 看出 ですか ますか か かどうか なのか"
    ),
    Part.ACTS: (
        "一键 一鍵 键 击 测 始 点击 點擊 开始 開始 立即 检测 檢測 检查 识别 識別 鉴别 鑑別 辨别 查询 查看 支持 去 "
        "试试 試試 试用 试一试 正在 重新 免费 免費 快速 极速 马上 立刻 在线 批量 体验 體驗 停止 暂停 中 失败 失敗 "
        "完成 成功 次数 记录 历史 按钮 设置 入口 助手 模板 结果 教程 教你 教 揭秘 警惕 谈 論 论 解读 关于 關於 "
        "发布 聚焦 让 讓 把 将 想 要 想要 会 能 能够 可以 可 学 玩 做 看 试 打开 关闭 开启 启用 上传 下载 选择 "
        "输入 添加 取消 继续 推出 上线 限时 会员 点此 举报 屏蔽 过滤 管理 浅析 分析 整治 打击 规范 必须 須 应当 "
        "进入 使用教程 需要 帮你 帮我 帮 给你 为你 为您 する しよう してみよう みよう しましょう できる 使い方"
    ),
    Part.MAYBE: "疑似 可能 涉嫌 或为 或為 或许 疑似含 疑似为",
    Part.USES: "使用 使用了 采用 採用 采用了 运用 運用 运用了 利用 借助 用 用了 含 含有 包含 包括 涉及 应用",
    Part.WAY: "技术 技術 模型 大模型 算法 演算法 工具 软件 軟體 智能 智慧 系统 引擎",
    Part.THING: (
        "内容 內容 图片 圖片 图像 圖像 影像 图 圖 照片 作品 视频 視頻 影片 片 本片 插画 插畫 插图 插圖 画面 畫面 "
        "效果图 素材 配图 配圖 封面 示意图 音频 音頻 声音 聲音 语音 配音 配乐 画 畫 文 本文 本页 人物 人像 场景 "
        "場景 动画 動畫 動画 短片 信息 資訊 物料 形象 成分 元素 痕迹 照 商品图 模特图 画像 イラスト 写真 映像 "
        "音声 コンテンツ もの 作品です"
    ),
    Part.FILL: (
        "笔者 作者 本人 博主 我 由 为 為 系 是 的 了 经 經 所 均 全部 部分 大量 本 该 該 此 这 這 这张 這張 这个 "
        "一张 该图 以上 以下 上述 全 皆 都 已 通过 通過 基于 基於 辅助 輔助 自动 自動 主要 完全 来源 來源 方式 "
        "声明 聲明 提示 温馨提示 注 注意 说明 示意 和 及 或 与 其 其中 纯 全程 / ／ 、 · ・ • 而成 中的 里的 店 "
        "任何 图中 圖中 画中 片中 视频中 文中 里 內 内 によって により で が は を の も に です でした した "
        "された されました されています しています しました ました ます を使用して を用いて を使って 使用して "
        "この こちら これ こちらは たもの されたもの したもの あります"
    ),
    Part.ADVICE: (
        "仅供 以实物 以实际 不构成 不作为 并非真实 非实景 非实物 僅供 仅作 请 請 谨 謹 不代表 "
        "非真实 非真實 如有 版权 版權 谨防 谨慎 謹慎 切勿 敬请 如需 侵删 勿作 勿信 仅为 请注意"
    ),
    Part.OTHER: (
        "摘要 回答 字幕 评论 評論 讨论 討論 理论 中国 中國 中文 中心 中央 中学 教育 教授 教师 学校 学生 学院 大学 "
        "文章 观看 做法 未来 未來 无线 無線 无人 勿忘 会议 会员 要求 哪吒 想法 可爱 可靠 猜想 将来"
    ),
    Part.SKIP: "口 日 回 曰 凸 凹 丨 丶 丿 亠 〇 品 △ ▲ ▽ ☑ ^ 囗 囚 ◇ ◆ ○ ● ★ ☆ ※",
}  # fmt: skip

_CHINESE_MADE: dict[str, str] = {
    "zh": "生成 合成 生成合成 合成生成",
    "zh other": (
        "产生 產生 创作 創作 绘制 繪製 制作 製作 绘画 繪畫 创建 創建 编辑 編輯 修改 绘 作画 作畫 产出 打造 绘成"
    ),
    "ja": "作成 による",
}

_KOREAN: dict[Part, str] = {
    Part.AI_OTHER: "인공지능 생성형AI",
    Part.MADE: "생성 제작 작성 만든 만들어진 만들어졌습니다 만들었습니다",
    Part.NOT_AFTER: "아님 아닙니다 아니다 않았습니다 않음 미사용 없음 없이 아닌",
    Part.NOT: "비",
    Part.ASKS: "인가요 일까요 까요 ㅂ니까 입니까 인지",
    Part.ACTS: "하기 시작 하세요 해보세요 합니다 도구 중",
    Part.MAYBE: "추정 의심",
    Part.THING: "이미지 영상 사진 콘텐츠 그림 동영상 작품 음성 내용",
    Part.FILL: (
        "으로 로 가 이 은 는 에 의해 의한 된 한 됨 됐습니다 되었습니다 했습니다 입니다 를 을 본 해당 활용하여 "
        "활용해 사용하여 이용해 이용하여 사용해 이것은 하여 및 의 에서 으로써"
    ),
}

# --- languages with words between spaces ------------------------------------------------------------------------------

_MADE: dict[str, str] = {
    "en": (
        "generated synthesized synthesised synthetic made created produced modified manipulated altered edited "
        "enhanced imagined painted drawn rendered assisted"
    ),
    "de": (
        "generiert generierte generiertes generierter generierten erstellt erstelltes erstellte erzeugt erzeugte "
        "erzeugtes erzeugter erzeugten geschaffen bearbeitet gemacht kigeneriert verandert veranderte verandertes"
    ),
    "fr": (
        "genere generee generees generes cree creee creees crees produit produite realise realisee modifiee "
        "modifie fait modifies modifiees"
    ),
    "es": (
        "generado generada generados generadas creado creada creados creadas hecho hecha producido producida "
        "elaborado elaborada modificado modificada"
    ),
    "it": (
        "generato generata generati creato creata creati realizzato realizzata prodotto prodotta fatto modificato "
        "modificata"
    ),
    "pt": (
        "gerado gerada gerados geradas criado criada criados criadas feito feita produzido produzida alterado alterada"
    ),
    "nl": "gegenereerd gegenereerde gemaakt gemaakte gecreeerd gecreeerde bewerkt gewijzigd",
    "pl": (
        "wygenerowano wygenerowane wygenerowany wygenerowana stworzono stworzone stworzony stworzona utworzono "
        "utworzone utworzony wykonano zmodyfikowano zmodyfikowany zmodyfikowana zmodyfikowane"
    ),
    "ru": (
        "создано создана создан созданное созданная созданный сгенерировано сгенерирована сгенерирован "
        "сгенерированное сгенерированная сгенерированный сделано изготовлено"
    ),
    "uk": "створено створена створений створене згенеровано згенерована згенерований згенероване",
    "sv": "genererad genererat genererade skapad skapat skapade gjord modifierat modifierad",
    "da": "genereret genererede skabt lavet oprettet aendret andret andrede",
    "no": "generert genererte laget opprettet",
    "fi": "luotu luoma luoman tuotettu tuottama generoitu generoima tehty muokattu",
    "cs": "vygenerovano vygenerovany vygenerovana vytvoreno vytvoreny vytvorena generovano upraveno upraveny",
    "sk": "vygenerovane vytvorene upravene",
    "hu": "generalt keszult letrehozott keszitett modositott modositva",
    "ro": "generat generata creat creata realizat realizata modificat modificata",
    "el": "δημιουργηθηκε παραχθηκε δημιουργημενο δημιουργημενη επεξεργασμενο επεξεργασμενη τροποποιημενο τροποποιημενη",
    "bg": "генерирано генериран генерирана създадено създаден създадена променено променен променена",
    "et": "loodud genereeritud muudetud",
    "ga": "ginte cruthaithe modhnaithe",
    "hr": "generirano generirana generiran izmijenjeno izmijenjena stvoreno",
    "lt": "sugeneruota sugeneruotas sukurta sukurtas pakeista pakeistas",
    "lv": "generets genereta izveidots parveidots parveidota",
    "mt": "iggenerat modifikat",
    "sl": "ustvarjeno ustvarjena spremenjeno spremenjena",
    "tr": "olusturuldu uretildi olusturulmustur uretilmistir yapildi",
    "vi": "tao ra",
    "id": "dibuat dihasilkan buatan",
    "ar": "إنشاؤه إنشاؤها توليده توليدها",
}

_WORDS: dict[Part, str] = {
    Part.AI: "ai aigc",
    Part.AI_OTHER: (
        "ki ia ии шi ші нейросетью нейросети нейросеть нейромережею tekoaly tekoalyn tekoalylla ti ml mi si genai "
        "umi yz synthetically"
    ),
    Part.NOT: (
        "not no non never none without zero isn isnt wasn wasnt aren doesn doesnt didn nicht ohne kein keine "
        "keinen keiner niemals sans pas aucune aucun sin ninguna nunca senza nessuna sem nao nenhuma niet geen "
        "zonder nie bez brak не без ні inte utan ej ikke uden uten ei ilman nem nelkul fara nu degil khong bukan "
        "tanpa ليس بدون free frei anti"
    ),
    Part.ASKS: "? can did how why what which who whether ли comment pourquoi como wie warum czy onko hvordan hur",
    Part.ACTS: (
        "generate create creating generating generation generator generators make making try start detect "
        "detector detects detection check report label remove spot learn get test identify flag block hide filter "
        "click tap upload download buy explore discover erstellen generieren erzeugen erkennen generer creer "
        "generar crear generare crea genera gerar criar genereren maken generuj stworz создать сгенерировать "
        "генерировать skapa generera luo olustur vytvorit vytvor"
    ),
    Part.MAYBE: (
        "may might possibly probably likely suspected potentially vielleicht moglicherweise peut posiblemente "
        "forse"
    ),
    Part.USES: (
        "contains contain includes include containing enthalt contient contiene contem bevat zawiera содержит"
    ),
    Part.WAY: "technology tools tool model models software techniques generative generativer generativen",
    Part.THING: (
        "image images picture pictures photo photos photograph video videos clip content contents media art "
        "artwork artworks illustration illustrations audio voice voiceover speech music text texts visual visuals "
        "graphic film animation material cover background scene scenes thumbnail footage depiction info "
        "disclosure notice disclaimer symbolbild visualisierung collage montage bild bilder foto inhalt inhalte "
        "grafik stimme darstellung contenu contenus imagem imagen imagenes imagens imagini contenido contenidos "
        "conteudo conteudos ilustracion ilustracao immagine immagini contenuto contenuti illustrazione afbeelding "
        "beeld inhoud obraz obrazy tresc tresci zdjecie изображение картинка фото видео контент иллюстрация "
        "зображення bilden bilde billede billedet kuva obrazek kep kepek imagine gorsel resim hinh anh gambar "
        "konten الصورة المحتوى εικονα"
    ),
    Part.FILL: (
        "the this that these an a is are was were be been being has have had by with using through via of from in "
        "on for it its help use aid assistance allowed please do support and or all some part parts partially "
        "partly entirely fully completely wholly artificially used to which shown here above below every any s t "
        "d involved digitally automatically warning note your as mit von durch mithilfe hilfe dieses diese dieser "
        "dem der die das ein eine einer einem wurde wurden sind ist war sono era vollstandig teilweise unter "
        "verwendung im am zum par avec est l une un la le les cette ce ces cet ete sont au moyen de du des n por "
        "con el los las esta este estas estos fue ha sido mediante usando es da dal dall dalla di questa questo e "
        "stata stato tramite lo il com pela pelo foi uma um o door deze dit werd met behulp van het przez za "
        "pomoca przy uzyciu ten ta zostal zostala zostalo с помощью при помощи это эта этот этого использованием "
        "использования было был была за допомогою це med av hjalp ar denna detta er af denne dette hjelp hjaelp "
        "pomoci pouziti pouzitim tento tato altal ez din aceasta ile tarafindan bu bang duoc boi oleh dengan تم "
        "بواسطة هذه هذا باستخدام inclus"
    ),
    Part.ADVICE: "simulated",
}  # fmt: skip

AI_OF_TWO: frozenset[tuple[str, str]] = frozenset({
    ("artificial", "intelligence"), ("kunstliche", "intelligenz"), ("kunstlicher", "intelligenz"),
    ("intelligence", "artificielle"), ("inteligencia", "artificial"), ("intelligenza", "artificiale"),
    ("kunstmatige", "intelligentie"), ("sztuczna", "inteligencja"), ("sztuczna", "inteligencje"),
    ("sztucznej", "inteligencji"), ("искусственным", "интеллектом"), ("искусственного", "интеллекта"),
    ("штучним", "інтелектом"), ("штучного", "інтелекту"), ("yapay", "zeka"), ("umele", "inteligence"),
    ("umelou", "inteligenci"), ("artificiell", "intelligens"), ("kunstig", "intelligens"),
    ("inteligenta", "artificiala"), ("mesterseges", "intelligencia"), ("الذكاء", "الاصطناعي"),
    ("τεχνητη", "νοημοσυνη"), ("kecerdasan", "buatan"),
})  # fmt: skip
"""AI in two words."""

CASED = frozenset({"mi", "si", "ti", "ml", "yz", "umi"})
"""Short forms that are ordinary words as well: they count in capitals only."""

ROMANCE = frozenset({"fr", "it", "es", "pt", "ro"})
"""Languages in which "ai" is a word: beside their verbs AI counts in capitals only."""

RUN_ON = frozenset({
    "not", "no", "ai", "al", "generated", "by", "made", "with", "created", "using", "image", "images", "content",
    "video", "photo", "this", "was", "is", "picture", "art",
})  # fmt: skip
"""Words that OCR joins when it loses spaces."""


@cache
def characters() -> tuple[dict[str, Word], int]:
    """Return the words of languages without spaces, and the length of the longest. Korean ones are not here."""
    found: dict[str, Word] = {}
    for part, words in _CHINESE.items():
        found |= dict.fromkeys(words.split(), Word(part))
    for language, words in _CHINESE_MADE.items():
        found |= dict.fromkeys(words.split(), Word(Part.MADE, language))
    return found, max(map(len, found))


@cache
def hangul() -> tuple[dict[str, Word], int]:
    """Return the Korean words, matched longest first within a word, and the length of the longest."""
    found: dict[str, Word] = {}
    for part, words in _KOREAN.items():
        found |= dict.fromkeys(words.split(), Word(part, "ko" if part is Part.MADE else ""))
    return found, max(map(len, found))


@cache
def spaced() -> dict[str, Word]:
    """Return the words of languages with spaces."""
    found: dict[str, Word] = {}
    for part in reversed(_WORDS):
        found |= dict.fromkeys(_WORDS[part].split(), Word(part))
    for language in reversed(_MADE):
        found |= dict.fromkeys(_MADE[language].split(), Word(Part.MADE, language))
    return found

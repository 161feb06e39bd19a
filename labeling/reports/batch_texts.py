"""The texts of a batch run's report in English and Chinese. What it shares with other reports is in ``messages``.

A parameter of the library stands in backticks: the page shows it as code, the terminal as its option.
"""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "title:label": ("Batch run: labelling", "批量任务：添加标识"),
    "title:convert": ("Batch run: conversion", "批量任务：转换图片"),
    "title:propagate": ("Batch run: labels added by a platform", "批量任务：传播平台添加标识"),
    "title:transplant": ("Batch run: labels carried over to copies", "批量任务：为副本补充原文件的标识"),
    "title:verify": ("Batch run: verification", "批量任务：核验标识"),
    # what became of a file
    "labelled": ("labelled", "已标识"),
    "converted": ("converted", "已转换"),
    "verified": ("verified", "已核验"),
    "classified": ("nothing found, nothing written", "未发现生成合成迹象，未写入标识"),
    "skipped": ("skipped", "已跳过"),
    "refused": ("refused", "已拒绝"),
    "unsupported": ("unsupported", "格式不支持"),
    "failed": ("failed", "失败"),
    "poison": ("set aside", "已隔离"),
    "others": ("others", "其他"),
    "": ("unknown", "未知"),
    # the sentence on top
    "lead:none": ("No file was found.", "未找到任何文件。"),
    "lead:label": ("{well} of {total} files are labelled.", "共 {total} 个文件，已标识 {well} 个。"),
    "lead:label:1": ("1 of {total} files is labelled.", "共 {total} 个文件，已标识 1 个。"),
    "lead:label:all": ("All {total} files are labelled.", "全部 {total} 个文件均已标识。"),
    "lead:label:one": ("The file is labelled.", "该文件已标识。"),
    "lead:convert": ("{well} of {total} files are converted.", "共 {total} 个文件，已转换 {well} 个。"),
    "lead:convert:1": ("1 of {total} files is converted.", "共 {total} 个文件，已转换 1 个。"),
    "lead:convert:all": ("All {total} files are converted.", "全部 {total} 个文件均已转换。"),
    "lead:convert:one": ("The file is converted.", "该文件已转换。"),
    "lead:propagate": (
        "{well} of {total} files carry the platform's label or, by what was found, need none.",
        "共 {total} 个文件，其中 {well} 个已添加平台标识，或未发现需要添加标识的迹象。",
    ),
    "lead:propagate:1": (
        "1 of {total} files carries the platform's label or, by what was found, needs none.",
        "共 {total} 个文件，其中 1 个已添加平台标识，或未发现需要添加标识的迹象。",
    ),
    "lead:propagate:all": (
        "All {total} files carry the platform's label or, by what was found, need none.",
        "全部 {total} 个文件均已添加平台标识，或未发现需要添加标识的迹象。",
    ),
    "lead:propagate:one": (
        "The file carries the platform's label or, by what was found, needs none.",
        "该文件已添加平台标识，或未发现需要添加标识的迹象。",
    ),
    "lead:transplant": (
        "{well} of {total} copies carry the labels of their originals.",
        "共 {total} 个副本，{well} 个已带有原文件的标识。",
    ),
    "lead:transplant:1": (
        "1 of {total} copies carries the labels of its original.",
        "共 {total} 个副本，1 个已带有原文件的标识。",
    ),
    "lead:transplant:all": (
        "All {total} copies carry the labels of their originals.",
        "全部 {total} 个副本均已带有原文件的标识。",
    ),
    "lead:transplant:one": ("The copy carries the labels of its original.", "该副本已带有原文件的标识。"),
    "lead:verify": ("{well} of {total} files comply.", "共 {total} 个文件，{well} 个合规。"),
    "lead:verify:1": ("1 of {total} files complies.", "共 {total} 个文件，1 个合规。"),
    "lead:verify:all": ("All {total} files comply.", "全部 {total} 个文件均合规。"),
    "lead:verify:one": ("The file complies.", "该文件合规。"),
    "attention": ("{n} need attention.", "{n} 个需要处理。"),
    "attention:1": ("1 needs attention.", "1 个需要处理。"),
    "interrupted": (
        "The run was interrupted. The same command continues where it stopped.",
        "任务被中断。再次运行同一命令即可从中断处继续。",
    ),
    "resumed": (
        "{n} files were done by an earlier run and left as they are; throughput counts this run only.",
        "{n} 个文件已由先前的任务完成，本次未再处理；吞吐量仅按本次任务计算。",
    ),
    "bytes_only": (
        "The target keeps bytes alone: metadata, tags, access and headers of the source's objects are not in it.",
        "目标位置只保存文件内容，源对象的元数据、标签、访问权限和标头未予保留。",
    ),
    "earlier:label": (
        "{n} files were labelled with earlier options ({options}); `restart=True` labels them again.",
        "{n} 个文件的标识是按先前的选项（{options}）添加的；使用 `restart=True` 可重新添加。",
    ),
    "earlier:label:1": (
        "1 file was labelled with earlier options ({options}); `restart=True` labels it again.",
        "1 个文件的标识是按先前的选项（{options}）添加的；使用 `restart=True` 可重新添加。",
    ),
    "earlier:convert": (
        "{n} files were converted with earlier options ({options}); `restart=True` converts them again.",
        "{n} 个文件是按先前的选项（{options}）转换的；使用 `restart=True` 可重新转换。",
    ),
    "earlier:convert:1": (
        "1 file was converted with earlier options ({options}); `restart=True` converts it again.",
        "1 个文件是按先前的选项（{options}）转换的；使用 `restart=True` 可重新转换。",
    ),
    "limited": (
        "The limit was reached; the same command takes the next files.",
        "已达到本次处理数量上限。再次运行同一命令即可处理后续文件。",
    ),
    "limited:left": (
        "The limit was reached; at most {n} files are left for the same command.",
        "已达到本次处理数量上限，最多还有 {n} 个文件待处理。再次运行同一命令即可继续。",
    ),
    "limited:left:1": (
        "The limit was reached; at most 1 file is left for the same command.",
        "已达到本次处理数量上限，最多还有 1 个文件待处理。再次运行同一命令即可继续。",
    ),
    "shard": ("Shard", "分片"),
    # several runs that were merged
    "merged": ("Merged from", "合并自"),
    "merged:runs": ("{n} runs", "{n} 个任务"),
    "merged:warnings": ("About the merged runs", "关于所合并任务的提示"),
    "merged:missing": ("{n} of {total} shards missing: {shown}.", "{total} 个分片中缺少 {n} 个：{shown}。"),
    "merged:twice": ("Of {total} shards, some occur more than once: {shown}.", "分片重复：{shown}（共 {total} 个）。"),
    "merged:divided": (
        "The runs divided one source in different ways: files may be missing or have several results.",
        "各任务对同一来源的划分方式不同，可能有文件遗漏或重复处理。",
    ),
    "merged:options": ("The runs had different options: {names}.", "各任务的选项不同：{names}。"),
    "merged:sources": (
        "The runs had different sources; each result in results.jsonl names its own.",
        "各任务的来源不同，results.jsonl 中每条结果均注明其来源。",
    ),
    "merged:unfinished": (
        "Runs that have not finished: {n}. Run them again, then merge again.",
        "有 {n} 个任务尚未完成。请先运行完毕，再重新合并。",
    ),
    "merged:overlap": (
        "Files with results of several runs: {n}. The latest one counts.",
        "有 {n} 个文件在多个任务中都有结果，以最新的为准。",
    ),
    "merged:outputs": (
        "Outputs that belong to several sources: {n}. Each can hold only one of them.",
        "有 {n} 个输出文件对应多个来源文件，每个输出只能保存其中之一。",
    ),
    "unfinished:open": ("it is at work, or its end was lost", "任务仍在运行，或其结束状态已丢失"),
    "unfinished:begun": ("files were begun and not finished", "有文件已开始处理但未完成"),
    "unfinished:summary": ("there is no summary", "缺少汇总文件"),
    "unfinished:interrupted": ("its last session was interrupted", "最近一次运行被中断"),
    "unfinished:limited": ("its last session ended at a limit", "最近一次运行因达到数量上限而结束"),
    "vanished": (
        "{n} files of earlier sessions are no longer in the source, and are not counted.",
        "先前运行处理过的 {n} 个文件已不在来源目录中，未计入总数。",
    ),
    "vanished:1": (
        "1 file of earlier sessions is no longer in the source, and is not counted.",
        "先前运行处理过的 1 个文件已不在来源目录中，未计入总数。",
    ),
    "orphans:listed": (
        '{n} outputs have no source any more; {file} lists them, and `prune_orphans="remove"` removes them:',
        '{n} 个输出文件的来源已不存在，清单见 {file}；使用 `prune_orphans="remove"` 可将其删除：',
    ),
    "orphans:listed:1": (
        '1 output has no source any more; {file} names it, and `prune_orphans="remove"` removes it:',
        '1 个输出文件的来源已不存在，见 {file}；使用 `prune_orphans="remove"` 可将其删除：',
    ),
    "orphans:removed": (
        "{n} outputs without a source were removed; {file} lists them.",
        "已删除 {n} 个来源已不存在的输出文件，清单见 {file}。",
    ),
    "orphans:removed:1": (
        "1 output without a source was removed; {file} names it.",
        "已删除 1 个来源已不存在的输出文件，见 {file}。",
    ),
    "orphans:kept": (
        "{n} outputs without a source were kept; {file} says why.",
        "保留了 {n} 个来源已不存在的输出文件，原因见 {file}。",
    ),
    "orphans:kept:1": (
        "1 output without a source was kept; {file} says why.",
        "保留了 1 个来源已不存在的输出文件，原因见 {file}。",
    ),
    "orphans:none": ("No output has lost its source.", "没有来源已不存在的输出文件。"),
    "orphans:skipped": (
        "Outputs without a source were not looked for, because not all of the source was listed, or nothing is in it.",
        "未检查来源已不存在的输出文件：来源未能完整列出，或其中没有文件。",
    ),
    "found": (
        "{n} outputs of an earlier run were found finished and taken over; they were not made again.",
        "发现 {n} 个输出文件已由先前的任务完成，直接沿用，未重新生成。",
    ),
    "found:1": (
        "1 output of an earlier run was found finished and taken over; it was not made again.",
        "发现 1 个输出文件已由先前的任务完成，直接沿用，未重新生成。",
    ),
    "moved": (
        "{n} files were renamed or moved; they were not processed again, and keep their content ids:",
        "{n} 个文件已改名或移动，未重新处理，内容编号保持不变：",
    ),
    "moved:1": (
        "1 file was renamed or moved; it was not processed again, and keeps its content id:",
        "1 个文件已改名或移动，未重新处理，内容编号保持不变：",
    ),
    "remade": (
        "{n} outputs were gone or no longer as they were written, and were made again with their content ids:",
        "{n} 个输出文件已丢失或与写入时不一致，已按原内容编号重新生成：",
    ),
    "remade:1": (
        "1 output was gone or no longer as it was written, and was made again with its content id:",
        "1 个输出文件已丢失或与写入时不一致，已按原内容编号重新生成：",
    ),
    "unrecorded": (
        "{n} files were labelled by runs without a ledger, and are not in it; `restart=True` processes and records "
        "them again, with their content ids.",
        "{n} 个文件由未使用台账的任务处理，台账中没有其记录；`restart=True` 会重新处理并记录，内容编号不变。",
    ),
    "unrecorded:1": (
        "1 file was labelled by a run without a ledger, and is not in it; `restart=True` processes and records it "
        "again, with its content id.",
        "1 个文件由未使用台账的任务处理，台账中没有其记录；`restart=True` 会重新处理并记录，内容编号不变。",
    ),
    # facts
    "date": ("Date", "执行时间"),
    "tool": ("Tool", "工具"),
    "source": ("Source", "来源目录"),
    "target": ("Target", "目标目录"),
    "engine": ("Engine", "执行引擎"),
    "engine:workers": ("{engine}, {n} workers", "{engine}，{n} 个工作进程"),
    "engine:workers:1": ("{engine}, 1 worker", "{engine}，1 个工作进程"),
    # numbers
    "numbers": ("Numbers", "数字"),
    "files": ("files", "文件"),
    "files per second": ("files per second", "文件/秒"),
    "megabytes per second": ("MB per second", "MB/秒"),
    "wall": ("from start to finish", "总用时"),
    "bytes in": ("of sources", "源文件大小"),
    "bytes out": ("of outputs", "输出文件大小"),
    "retried": ("tried more than once", "重试过"),
    # sections
    "outcome": ("What became of the files", "处理结果"),
    "verdicts": ("Verdicts", "结论"),
    "origins": ("Origins", "生成合成属性"),
    "causes": ("Causes, and what to do", "原因与处理办法"),
    "rules": ("Rules that were broken", "未满足的规则"),
    "warnings": ("Worth knowing", "提示"),
    "lost": ("What labelled copies do not hold", "标识后的副本未能保留的内容"),
    "lost:convert": ("What converted pictures do not hold", "转换后的图片未能保留的内容"),
    "lost:files": (
        "{n} files lost something; results.jsonl lists it for each of them. `strict=True` refuses such files instead.",
        "{n} 个文件有内容未能保留，逐个文件的清单见 results.jsonl。设置 `strict=True` 可改为拒绝处理此类文件。",
    ),
    "lost:files:1": (
        "1 file lost something; results.jsonl lists it. `strict=True` refuses such files instead.",
        "1 个文件有内容未能保留，清单见 results.jsonl。设置 `strict=True` 可改为拒绝处理此类文件。",
    ),
    "thing": ("Lost", "未保留的内容"),
    "reason": ("Why", "原因"),
    "sizes": ("Size of the files", "文件大小"),
    "seconds": ("Time per file", "单个文件用时"),
    "timeline": ("Throughput over time", "吞吐量变化"),
    "slowest": ("The slowest files", "用时最长的文件"),
    "media types": ("Formats", "格式"),
    "how": ("How the labels were added", "标识写入方式"),
    "how:convert": ("What was done", "处理方式"),
    # plots
    "quantiles": (
        "Half of the files have at most {p50}, 90 % at most {p90}, 99 % at most {p99}; the largest has {max}.",
        "50% 的文件不超过 {p50}，90% 不超过 {p90}，99% 不超过 {p99}；最大为 {max}。",
    ),
    "quantiles:seconds": (
        "Half of the files took at most {p50}, 90 % at most {p90}, 99 % at most {p99}; the longest took {max}.",
        "50% 的文件用时不超过 {p50}，90% 不超过 {p90}，99% 不超过 {p99}；最长为 {max}。",
    ),
    "one:sizes": ("One file, of {max}.", "一个文件，大小为 {max}。"),
    "one:seconds": ("One file, in {max}.", "一个文件，用时 {max}。"),
    "over time": (
        "Files finished per second, in steps of {interval}; the dashed line is the mean, {mean}.",
        "每秒完成的文件数，每格 {interval}；虚线为平均值 {mean}。",
    ),
    "median": ("50 %", "50%"),
    "ninety": ("90 %", "90%"),
    "as table": ("The same numbers as a table", "数据表"),
    "from": ("From", "起"),
    "to": ("Below", "止（不含）"),
    "after": ("After", "开始后"),
    "share": ("Share", "占比"),
    "rate": ("Files per second", "文件/秒"),
    "per bytes": ("MB per second", "MB/秒"),
    # causes
    "cause": ("Cause", "原因"),
    "number": ("Files", "文件数"),
    "examples": ("For example", "示例"),
    "and more": ("and {n} more", "等另外 {n} 个"),
    "other causes": (
        "{n} files had rarer causes; results.jsonl lists each of them.",
        "另有 {n} 个文件的原因较少见，详见 results.jsonl。",
    ),
    "no cause": ("No reason was given.", "未说明原因。"),
    "nothing": ("None: every file could be processed.", "无：所有文件均已处理。"),
    "profile": ("Profile", "适用规则"),
    "rule": ("Rule", "规则"),
    "time": ("Time", "用时"),
    "result": ("Result", "结果"),
    "format": ("Format", "格式"),
    "way": ("How", "方式"),
    "results": ("Results, one line per file", "逐个文件的结果"),
    "footer": (
        "Counts are exact; 50 %, 90 % and 99 % quantiles are within 2.5 %. results.jsonl has the result of each file.",
        "计数为精确值；50%、90%、99% 分位数的误差不超过 2.5%。每个文件的结果见 results.jsonl。",
    ),
    # what to do about each kind of error, for messages that do not say it; in Chinese also what happened
    "kind:UnreadableFile": (
        "get a complete copy of the file",
        "文件无法读取：缺失、为空、被截断或已损坏。请获取完整的副本后重试。",
    ),
    "kind:UnsupportedFormat": (
        "convert it, or leave it out",
        "格式未知，或该格式无处存放标识。请转换格式，或将其排除。",
    ),
    "kind:UnsupportedFormat:convert": (
        "leave it out, or export it to another format first",
        "该文件无法转换：不是图片，或格式不支持。请将其排除，或先用其他软件导出为常见格式。",
    ),
    "kind:TooLarge": (
        "raise the limit if you trust the file",
        "文件超出限制。若文件来源可信，可提高相应限制。",
    ),
    "kind:LabelConflict": (
        "another provider's label must stay; add yours with aigc-label propagate",
        "文件已有其他服务提供者的标识，不得覆盖。可用 aigc-label propagate 添加传播要素。",
    ),
    "kind:LabelConflict:convert": (
        "settle first which label holds, and remove the others",
        "文件中的标识相互矛盾或无法读取，不能原样保留。请先确认以哪一条为准。",
    ),
    "kind:SigningError": (
        "check the key, the certificate and the time-stamp service",
        "签名失败。请检查密钥、证书及时间戳服务。",
    ),
    "kind:WouldLose": (
        "leave `strict=True` out to accept that",
        "输出文件将无法保留原文件的部分内容。若可接受，请去掉 `strict=True`。",
    ),
    "kind:WriteError": (
        "check the target's free space and permissions, then run the same command again",
        "输出文件无法写入。请检查目标位置的剩余空间与权限。",
    ),
    "kind:StoreDown": (
        "run again when the store is available",
        "对象存储未响应或暂时不可用。请待其恢复后重新运行，这些文件会再次处理。",
    ),
    "kind:Taken": (
        "choose another target, or replace what is there with `overwrite=True`",
        "目标位置已有同名文件，且并非由本任务生成。请更换目标位置，或用 `overwrite=True` 覆盖。",
    ),
    "kind:SameContentId": (
        "give each file a content id of its own",
        "文件清单将同一内容编号给了另一个先列出的文件。请为每个文件填写各自的内容编号。",
    ),
    "kind:SameOutput": (
        "rename one of them, or convert them into different targets",
        "转换后与另一个文件同名，先列出的文件已占用该名称。请重命名其中一个，或分别转换到不同的目标位置。",
    ),
    "kind:ThroughLink": (
        "put a folder in the link's place, or make the place that it leads to the target",
        "目标位置中的该路径经过符号链接，未写入任何文件。请以文件夹替换该链接，或直接以其所指位置为目标。",
    ),
    "kind:MissingDependency": (
        "install it, then run the same command again",
        "缺少所需的库。请安装后重新运行同一命令。",
    ),
    "kind:Changed": (
        "run the same command again when the file is complete",
        "文件在读取过程中发生变化。请待写入完成后重新运行同一命令。",
    ),
    "kind:Symlink": (
        "replace the link by the file itself if it belongs to the run",
        "若该文件应纳入任务，请以文件本身替换该链接。",
    ),
    "kind:NotAFile": ("nothing needs to be done: only regular files are processed", "仅处理普通文件，无需操作。"),
    "kind:Name": (
        "rename the file, or correct the list",
        "该名称不能用于目标位置。请重命名文件或修正文件列表。",
    ),
    "kind:MemoryError": (
        "run again with fewer `workers`",
        "内存不足。请减小 `workers` 后重新运行。",
    ),
    "kind:Internal": (
        "please report it with this message",
        "这是 aigc-label 自身的错误，请附上该消息反馈给我们。",
    ),
    "kind:poison": (
        "examine this file on its own",
        "处理该文件时工作进程两次异常终止。请单独检查该文件。",
    ),
}

"""Names of ID3v2.2 frames, and what the same frames are called from 2.3 on (id3.org, ID3v2.2.0 and 2.3.0, 4)."""

from __future__ import annotations

_NEW = {
    "TT1": "TIT1", "TT2": "TIT2", "TT3": "TIT3", "TP1": "TPE1", "TP2": "TPE2", "TP3": "TPE3", "TP4": "TPE4",
    "TCM": "TCOM", "TXT": "TEXT", "TLA": "TLAN", "TCO": "TCON", "TAL": "TALB", "TPA": "TPOS", "TRK": "TRCK",
    "TRC": "TSRC", "TYE": "TYER", "TDA": "TDAT", "TIM": "TIME", "TRD": "TRDA", "TMT": "TMED", "TFT": "TFLT",
    "TBP": "TBPM", "TCR": "TCOP", "TPB": "TPUB", "TEN": "TENC", "TSS": "TSSE", "TOF": "TOFN", "TLE": "TLEN",
    "TSI": "TSIZ", "TDY": "TDLY", "TKE": "TKEY", "TOT": "TOAL", "TOA": "TOPE", "TOL": "TOLY", "TOR": "TORY",
    "TXX": "TXXX", "COM": "COMM", "ULT": "USLT", "SLT": "SYLT", "PIC": "APIC", "GEO": "GEOB", "WXX": "WXXX",
    "WAF": "WOAF", "WAR": "WOAR", "WAS": "WOAS", "WCM": "WCOM", "WCP": "WCOP", "WPB": "WPUB", "UFI": "UFID",
    "CNT": "PCNT", "POP": "POPM", "IPL": "IPLS", "MCI": "MCDI", "ETC": "ETCO", "EQU": "EQUA", "RVA": "RVAD",
    "REV": "RVRB", "BUF": "RBUF", "CRA": "AENC", "LNK": "LINK", "MLL": "MLLT", "STC": "SYTC", "TCP": "TCMP",
    "TS2": "TSO2", "TSA": "TSOA", "TSC": "TSOC", "TSP": "TSOP", "TST": "TSOT",
}  # fmt: skip


def modern(name: bytes) -> str:
    """Return the name that a frame has from ID3v2.3 on; others stay as they are."""
    found = name.decode("latin-1").strip("\0 ")
    return _NEW.get(found, found)

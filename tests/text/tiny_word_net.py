"""A folder of a few words in WordNet's files, with glosses of our own."""

LICENCE = "  1 Lines that begin with two spaces are of the licence.  \n"
FILES = {
    "index.noun": "bank n 2 3 @ ~ + 2 2 00000100 00000200  \n"
    "mouse n 1 1 @ 1 0 00000300  \n"
    "river_bank n 1 0 1 0 00000100  \n",
    "data.noun": "00000100 17 n 02 bank 0 River_bank 1 001 @ 00000300 n 0000 | "
    'the land beside a river; "a hut on the bank"; "the bank is steep"  \n'
    "00000200 14 n 01 bank 0a 000 | a house that lends money  \n"
    "00000300 05 n 01 mouse 0 000 | 小动物 🙂  \n",
    "noun.exc": "mice mouse\nmice bank\n",
    "index.verb": "bank v 1 0 1 0 00000100  \nmouse v 1 0 1 0 00000200  \n"
    "hope v 1 0 1 0 00000100  \n",
    "data.verb": "00000100 40 v 02 bank 0 hope 3 000 01 + 02 00 | trust in it  \n"
    "00000200 40 v 01 mouse 0 000 01 + 02 00 | go softly  \n",
    "index.adj": "near a 1 0 1 0 00000100  \nnigh a 1 0 1 0 00000200  \n",
    "data.adj": "00000100 00 a 01 near(a) 2 001 & 00000200 a 0000 | not far  \n"
    "00000200 00 s 02 at_hand 0 nigh(p) 1 002 & 00000100 a 0000 + 00000100 n 0000 | "
    "close  \n",
}


def write_word_net(folder):
    """Writes it, with a licence above each part; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        head = "" if name.endswith(".exc") else LICENCE
        (folder / name).write_text(head + content, "utf-8")
    return folder

"""On which terms each data set may be used, in a few words; the sets' own pages say it in full."""

# name of the reader -> (name of the set, its terms)
TERMS = {
    "adience": ("Adience", "see there"),
    "affectnet": ("AffectNet", "research, by request"),
    "aflw2000": ("AFLW2000-3D", "research"),
    "appa_real": ("APPA-REAL", "see there"),
    "biwi": ("BIWI", "non-commercial research"),
    "celeba": ("CelebA", "non-commercial research"),
    "fairface": ("FairFace", "CC BY 4.0"),
    "fer2013": ("FER2013", "research"),
    "genki4k": ("GENKI-4K", "research"),
    "imdb_wiki": ("IMDB-WIKI", "academic research"),
    "lagenda": ("LAGENDA", "see there"),
    "raf_db": ("RAF-DB", "non-commercial research"),
    "rendered": ("drawn faces", "Apache-2.0"),
    "utkface": ("UTKFace", "non-commercial research"),
    "w300lp": ("300W-LP", "research"),
}

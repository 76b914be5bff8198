from .alphabet import Alphabet as Alphabet
from .dfa import DFA as DFA
from .extraction.extract import Extraction as Extraction
from .extraction.extract import extract_dfa as extract_dfa
from .extraction.lstar import learn_dfa as learn_dfa
from .extraction.reader import Reader as Reader
from .sampling import accepted_counts as accepted_counts
from .sampling import draw_accepted as draw_accepted
from .strings import Strings as Strings
from .tomita import tomita_dfa as tomita_dfa

__all__ = [
    "DFA",
    "Alphabet",
    "Extraction",
    "Reader",
    "Strings",
    "accepted_counts",
    "draw_accepted",
    "extract_dfa",
    "learn_dfa",
    "tomita_dfa",
]

from .ctc_decoding import ctc_decode as ctc_decode
from .sequence import SequenceLoss as SequenceLoss

__all__ = ["SequenceLoss", "ctc_decode"]

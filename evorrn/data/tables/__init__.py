"""Tables in text files: how their text is read, what was found in it, and their columns as numbers.

`evorrn.data.tables.table.read_table` is the one reader, for training, prediction and forecast. What a file leaves open
is refused, never guessed: the error says which option states it.
"""

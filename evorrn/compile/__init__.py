"""The compiler: equations of a cell -> graph -> derivatives -> schedule. It knows no particular cell and no layout."""

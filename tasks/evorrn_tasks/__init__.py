"""Tasks that come with evorrn, one file each, and the small real data beside them."""

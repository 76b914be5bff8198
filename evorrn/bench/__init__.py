"""Speed, measured side by side with installed peers in one run.

A group of rows is a file; each row says what ours takes, what each peer takes, the ratio and the target.
Peers' code is in `evorrn.bench.peers`, the only place that imports them.
"""

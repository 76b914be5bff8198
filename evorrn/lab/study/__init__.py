"""What the runs of a sweep show: who is compared, what is chosen, which leads hold, what the axes do, the report."""

"""strategies/gradient"""

"""strategies/evolution"""

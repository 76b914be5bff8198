"""strategies/reservoir"""

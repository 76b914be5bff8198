"""Modules that every other folder uses: errors, settings, files, plug-ins, the limit of BLAS threads."""

"""What everything else stands on: errors, settings, files, plug-ins, limits of BLAS threads."""

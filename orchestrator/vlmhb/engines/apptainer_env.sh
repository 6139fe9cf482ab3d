# Sourced inside every Apptainer container: its only writable folder is /tmp, as with the other engines.
export HOME=/tmp

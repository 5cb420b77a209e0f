"""Packs the executable as a Lambda deployment package: the same bytes for the same executable.
Usage: make_zip.py OUTPUT.zip BOOTSTRAP"""
import sys
import zipfile

entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
entry.create_system = 3  # Unix: Lambda keeps the mode
entry.external_attr = 0o100755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(sys.argv[2], "rb") as f, zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr(entry, f.read(), compresslevel=9)

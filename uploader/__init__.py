"""The service that keeps the finished days of a lake in object storage as well.

Uploaded, verified, recorded, and only then, once it is old enough, gone from the disk. Nobody waits
for it: it reads files that are finished, and writes nothing but `cold.db`.
"""

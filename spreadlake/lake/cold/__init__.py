"""The part of a lake that is in object storage: where, what is there, and how it is spoken to.

`address` says where, `recorded` what is in the bucket (from `cold.db`: without any request),
`objects` speaks to the bucket, for whoever uploads. Readers need the first two alone.
"""

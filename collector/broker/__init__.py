"""The log between captures and a store, in Redis Streams: published, read, acknowledged, gone."""

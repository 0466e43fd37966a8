"""What may go wrong with a cluster."""

from spreadlake.errors import SpreadlakeError


class ClusterError(SpreadlakeError):
    """A cluster cannot be reached, has no workers, or was lost in the middle."""

    exit_code = 1

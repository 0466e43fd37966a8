"""What is wrong with a certificate, and what to do about it, for people. Pure."""

import ssl

# Of OpenSSL, x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})


def explain_certificate(error: ssl.SSLCertVerificationError, setting: str, trusted: str) -> str:
    """One line; `setting` names the address, `trusted` says whose certificates are trusted."""
    said = " ".join((getattr(error, "verify_message", "") or str(error)).split())[:200]
    return f"its certificate is not accepted: {said}; {_remedy(error, setting, trusted)}"


def _remedy(error: ssl.SSLCertVerificationError, setting: str, trusted: str) -> str:
    code = getattr(error, "verify_code", None)
    if code in (_NOT_YET_VALID, _EXPIRED):
        return "if this machine's date is right, whoever runs that server has to renew it"
    if code in _OTHER_NAME:
        return (
            f"something else answers there: check {setting}, and what is between (a proxy, a "
            "login page, a name server of your own)"
        )
    if code in _UNKNOWN_ISSUER:
        return (
            f"trusted are {trusted}; where a company's proxy or firewall signs what passes, put "
            "its authority's certificate into the system's store, or into a file that the "
            "variable SSL_CERT_FILE names"
        )
    return f"trusted are {trusted}; SSL_CERT_FILE names a file of more"

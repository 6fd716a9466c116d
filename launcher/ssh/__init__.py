"""Sessions on other hosts over ssh: by paramiko, or by the OpenSSH client."""

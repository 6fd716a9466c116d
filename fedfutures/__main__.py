"""``python -m fedfutures``: the launcher."""

from fedfutures_launcher.command_line import main

if __name__ == "__main__":
    main()

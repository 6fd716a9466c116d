"""``python -m fedfutures``: the launcher.

``-m`` puts the working directory in front of ``sys.path``, and nothing of the launcher's is to come from there. Its
place stays, without anything in it: the program's directory is to stand there.
"""

import sys

if not getattr(sys.flags, "safe_path", sys.flags.isolated):
    working_directory, sys.path[0] = sys.path[0], "/dev/null"
    try:
        import fedfutures_launcher  # noqa: F401
    except ModuleNotFoundError:  # not installed: it is there, and only there
        sys.path.append(working_directory)

from fedfutures.host.starting import LoadingModules

with LoadingModules():
    from fedfutures_launcher.cli.launch import main

if __name__ == "__main__":
    main()

"""`python -m gateway`, and the command `gateway`."""


def main() -> None:
    """Run the command line."""
    from gateway.cli.main import app

    app()


if __name__ == "__main__":
    main()

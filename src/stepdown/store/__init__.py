"""Where captured calls are kept until an audit reads them again."""

"""Builds the codec that the configuration describes: embedded schemas, the user's files, a schema registry."""

from __future__ import annotations

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import CatalogueError
from stream.errors import ConfigurationError
from stream.sections import SchemasSettings


def open_codec(schemas: SchemasSettings) -> Codec:
    """Return the codec.

    Raises:
        ConfigurationError: a schema file cannot be used.
    """
    try:
        return Codec(Catalogue.embedded().with_ids(schemas.ids))
    except CatalogueError as error:
        raise ConfigurationError(f"schemas.ids: {error}") from error

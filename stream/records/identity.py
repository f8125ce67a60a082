"""The identity of an input as its L2 record holds it: encoded once, when the input is decoded; pure.

L2 records copy some twenty fields from their input. They are brought into the L2 record's encoding as soon as they are
known and travel as bytes, so that neither a spectrum whose fields are copied from its message
(``stream.decode.plain``) nor a batch of L2 records costs an object for each.
"""

from __future__ import annotations

from typing import Final

from stream.decoded import EncodedIdentity, Identity, Lane, published_lane
from stream.records.avro_bytes import long_bytes, nullable_double, nullable_long, nullable_string, string_bytes

LANES: Final = {"spectrum": long_bytes(0), "image": long_bytes(1)}
"""Symbols of the L2 field ``lane``."""


def encode_identity(identity: Identity, lane: Lane) -> EncodedIdentity:
    """Return the L2 record's fields ``l1_id`` to ``mjd_end`` as Avro, and what else is made of the identity."""
    return EncodedIdentity(
        survey=identity.survey,
        key=(identity.object_id or identity.l1_id).encode(),
        placed=identity.ra_deg is not None,
        fields=b"".join(
            (
                string_bytes(identity.l1_id),
                LANES[published_lane(lane)],
                string_bytes(identity.survey),
                string_bytes(identity.instrument),
                nullable_string(identity.spec_uid),
                nullable_string(identity.object_uid),
                nullable_string(identity.object_id),
                nullable_string(identity.cname),
                nullable_string(identity.programme_id),
                nullable_string(identity.ob_id),
                nullable_long(identity.fibre_id),
                nullable_string(identity.fibre_use),
                nullable_string(identity.product_level),
                nullable_string(identity.supersedes),
                nullable_double(identity.ra_deg),
                nullable_double(identity.dec_deg),
                nullable_double(identity.mjd_start),
                nullable_double(identity.mjd_end),
            )
        ),
    )

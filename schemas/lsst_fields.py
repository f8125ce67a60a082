"""Fields of the records in LSST alert packets, in the order in which Avro writes them, as far as versions share them.

Notation: ``name:type`` with type ``i`` int, ``l`` long, ``f`` float, ``d`` double, ``s`` string, ``b`` boolean, ``y``
bytes, ``t`` timestamp-micros, a record's name, or ``[record]`` for a list of records; ``?`` before it makes it nullable
with default null. A name alone is a nullable float, which is what most of them are. The meaning of the fields is in
the LSST data products definition document (LSE-163) and at https://sdm-schemas.lsst.io.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

BANDS: Final = "ugrizy"


def per_band(*fields: str) -> str:
    """Return the fields for each band in turn, ``@`` standing for the band."""
    return " ".join(field.replace("@", band) for band in BANDS for field in fields)


def covariances(model: str, *parameters: str) -> str:
    """Return the covariance of each pair of a model's parameters, in order."""
    return " ".join(f"{model}{first}_{model}{second}_Cov" for first, second in combinations(parameters, 2))


PIXEL_FLAGS: Final = """
pixelFlags:?b pixelFlags_bad:?b pixelFlags_cr:?b pixelFlags_crCenter:?b pixelFlags_edge:?b pixelFlags_nodata:?b
pixelFlags_nodataCenter:?b pixelFlags_interpolated:?b pixelFlags_interpolatedCenter:?b pixelFlags_offimage:?b
pixelFlags_saturated:?b pixelFlags_saturatedCenter:?b pixelFlags_suspect:?b pixelFlags_suspectCenter:?b
pixelFlags_streak:?b pixelFlags_streakCenter:?b pixelFlags_injected:?b pixelFlags_injectedCenter:?b
pixelFlags_injected_template:?b pixelFlags_injected_templateCenter:?b
"""

DIA_SOURCE: Final = f"""
diaSourceId:l visit:l detector:i diaObjectId:?l ssObjectId:?l parentDiaSourceId:?l midpointMjdTai:d exposureTime
ra:d raErr dec:d decErr ra_dec_Cov x:f xErr y:f yErr centroid_flag:?b apFlux apFluxErr apFlux_flag:?b
apFlux_flag_apertureTruncated:?b isNegative:?b snr psfFlux psfFluxErr psfLnL psfChi2 psfNdata:i psfFlux_flag:?b
psfFlux_flag_edge:?b psfFlux_flag_noGoodPixels:?b trailFlux trailFluxErr trailRa:?d trailRaErr trailDec:?d
trailDecErr trailLength trailLengthErr trailAngle trailAngleErr trailChi2 trailNdata:i trailAlgorithm:?i
trail_flag_edge:?b trail_flag:?b dipoleMeanFlux dipoleMeanFluxErr dipoleFluxDiff dipoleFluxDiffErr dipoleLength
dipoleAngle dipoleChi2 dipoleNdata:i scienceFlux scienceFluxErr forced_PsfFlux_flag:?b forced_PsfFlux_flag_edge:?b
forced_PsfFlux_flag_noGoodPixels:?b templateFlux templateFluxErr ixx iyy ixy ixxPSF iyyPSF ixyPSF shape_flag:?b
shape_flag_no_pixels:?b shape_flag_not_contained:?b shape_flag_parent_source:?b extendedness reliability
reliabilityVersion:?s band:?s isDipole:?b dipoleFitAttempted:?b timeProcessedMjdTai:d timeWithdrawnMjdTai:?d
bboxSize:i
{PIXEL_FLAGS} glint_trail:?b
"""

FORCED_SOURCE: Final = """
diaForcedSourceId:l diaObjectId:l ra:d dec:d visit:l detector:i psfFlux psfFluxErr midpointMjdTai:d scienceFlux
scienceFluxErr band:?s timeProcessedMjdTai:d timeWithdrawnMjdTai:?d
"""

DIA_OBJECT: Final = " ".join(
    (
        "diaObjectId:l validityStartMjdTai:d ra:d raErr dec:d decErr ra_dec_Cov",
        per_band(
            "@_psfFluxMean", "@_psfFluxMeanErr", "@_psfFluxSigma", "@_psfFluxNdata:i", "@_fpFluxMean", "@_fpFluxMeanErr"
        ),
        per_band("@_scienceFluxMean", "@_scienceFluxMeanErr"),
        per_band("@_psfFluxMin", "@_psfFluxMax", "@_psfFluxMaxSlope", "@_psfFluxErrMean"),
        "firstDiaSourceMjdTai:?d lastDiaSourceMjdTai:?d nDiaSources:i",
    )
)

SS_SOURCE: Final = """
diaSourceId:l ssObjectId:l designation:?s eclLambda:d eclBeta:d galLon:d galLat:d elongation phaseAngle topoRange
topoRangeRate helioRange helioRangeRate ephRa:?d ephDec:?d ephVmag ephRate ephRateRa ephRateDec ephOffset
ephOffsetRa:?d ephOffsetDec:?d ephOffsetAlongTrack ephOffsetCrossTrack helio_x helio_y helio_z helio_vx helio_vy
helio_vz helio_vtot topo_x topo_y topo_z topo_vx topo_vy topo_vz topo_vtot diaDistanceRank:?i
"""

MPC_ORBITS: Final = """
id:i designation:s packed_primary_provisional_designation:s unpacked_primary_provisional_designation:s
mpc_orb_jsonb:?s created_at:?t updated_at:?t orbit_type_int:?i u_param:?i nopp:?i arc_length_total:?d
arc_length_sel:?d nobs_total:?i nobs_total_sel:?i a:?d q:?d e:?d i:?d node:?d argperi:?d peri_time:?d yarkovsky:?d
srp:?d a1:?d a2:?d a3:?d dt:?d mean_anomaly:?d period:?d mean_motion:?d a_unc:?d q_unc:?d e_unc:?d i_unc:?d
node_unc:?d argperi_unc:?d peri_time_unc:?d yarkovsky_unc:?d srp_unc:?d a1_unc:?d a2_unc:?d a3_unc:?d dt_unc:?d
mean_anomaly_unc:?d period_unc:?d mean_motion_unc:?d epoch_mjd:?d h:?d g:?d not_normalized_rms:?d
normalized_rms:?d earth_moid:?d fitting_datetime:?t
"""

SS_SOURCE_8: Final = """
ssObjectId:?l diaSourceId:?l eclipticLambda:?d eclipticBeta:?d galacticL:?d galacticB:?d phaseAngle heliocentricDist
topocentricDist predictedVMagnitude residualRa:?d residualDec:?d heliocentricX heliocentricY heliocentricZ
heliocentricVX heliocentricVY heliocentricVZ topocentricX topocentricY topocentricZ topocentricVX topocentricVY
topocentricVZ
"""

MPCORB_8: Final = """
mpcDesignation:?s ssObjectId:?l mpcH epoch:?d M:?d peri:?d node:?d incl:?d e:?d a:?d q:?d t_p:?d
"""

DIA_SOURCE_7: Final = f"""
diaSourceId:l visit:l detector:i diaObjectId:?l ssObjectId:?l parentDiaSourceId:?l midpointMjdTai:d ra:d raErr dec:d
decErr ra_dec_Cov x:f xErr y:f yErr x_y_Cov centroid_flag:?b apFlux apFluxErr apFlux_flag:?b
apFlux_flag_apertureTruncated:?b is_negative:?b snr psfFlux psfFluxErr psfRa:?d psfRaErr psfDec:?d psfDecErr
psfFlux_psfRa_Cov psfFlux_psfDec_Cov psfRa_psfDec_Cov psfLnL psfChi2 psfNdata:?i psfFlux_flag:?b psfFlux_flag_edge:?b
psfFlux_flag_noGoodPixels:?b trailFlux trailFluxErr trailRa:?d trailRaErr trailDec:?d trailDecErr trailLength
trailLengthErr trailAngle trailAngleErr {covariances("trail", "Flux", "Ra", "Dec", "Length", "Angle")} trailLnL
trailChi2 trailNdata:?i trail_flag_edge:?b dipoleMeanFlux dipoleMeanFluxErr dipoleFluxDiff dipoleFluxDiffErr dipoleRa:?d
dipoleRaErr dipoleDec:?d dipoleDecErr dipoleLength dipoleLengthErr dipoleAngle dipoleAngleErr
{covariances("dipole", "MeanFlux", "FluxDiff", "Ra", "Dec", "Length", "Angle")}
dipoleLnL dipoleChi2 dipoleNdata:?i forced_PsfFlux_flag:?b forced_PsfFlux_flag_edge:?b
forced_PsfFlux_flag_noGoodPixels:?b snapDiffFlux snapDiffFluxErr fpBkgd fpBkgdErr ixx ixxErr iyy iyyErr ixy ixyErr
ixx_iyy_Cov ixx_ixy_Cov iyy_ixy_Cov ixxPSF iyyPSF ixyPSF shape_flag:?b shape_flag_no_pixels:?b
shape_flag_not_contained:?b shape_flag_parent_source:?b extendedness reliability band:?s dipoleFitAttempted:?b
{PIXEL_FLAGS}
"""

FORCED_SOURCE_7: Final = """
diaForcedSourceId:l diaObjectId:l ra:d dec:d visit:l detector:i psfFlux psfFluxErr midpointMjdTai:d band:?s
"""

NONDETECTION_LIMIT_7: Final = "ccdVisitId:l midpointMjdTai:d band:s diaNoise:f"

DIA_OBJECT_7: Final = " ".join(
    (
        "diaObjectId:l ra:d raErr dec:d decErr ra_dec_Cov radecMjdTai:?d pmRa pmRaErr pmDec pmDecErr",
        "parallax parallaxErr pmRa_pmDec_Cov pmRa_parallax_Cov pmDec_parallax_Cov",
        "pmParallaxLnL pmParallaxChi2 pmParallaxNdata:?i",
        per_band(
            "@_psfFluxMean",
            "@_psfFluxMeanErr",
            "@_psfFluxSigma",
            "@_psfFluxChi2",
            "@_psfFluxNdata:?i",
            "@_fpFluxMean",
            "@_fpFluxMeanErr",
            "@_fpFluxSigma",
        ),
        " ".join(f"nearbyObj{rank}:?l nearbyObj{rank}Dist nearbyObj{rank}LnP" for rank in (1, 2, 3)),
        per_band("@_psfFluxErrMean"),
    )
)

SS_OBJECT_7: Final = " ".join(
    (
        "ssObjectId:l discoverySubmissionDate:?d firstObservationDate:?d arc numObs:?i",
        "MOID MOIDTrueAnomaly MOIDEclipticLongitude MOIDDeltaV",
        per_band("@_H", "@_G12", "@_HErr", "@_G12Err", "@_H_@_G12_Cov", "@_Chi2", "@_Ndata:?i"),
        "medianExtendedness",
    )
)

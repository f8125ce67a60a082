"""Stars: radial velocities and evidence for star types from the survey's templates."""

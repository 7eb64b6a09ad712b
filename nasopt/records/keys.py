"""Names under which facts are stored: attributes of studies and trials, artifacts."""

from __future__ import annotations


class StudyKeys:
    """Names of a study's user attributes; `study/` writes them, `report/` reads them."""

    SPEC = "spec"
    """The resolved study file as JSON, passwords removed."""
    SPEC_HASH = "spec_hash"
    OBJECTIVES = "objectives"
    """List of {metric, direction}."""
    CONSTRAINTS = "constraints"
    """List of {key, metric, min, max}, in the fixed order in which every trial sets them."""
    DISTRIBUTIONS = "distributions"
    """The search space: {parameter: distribution as Optuna's JSON}."""
    PROBLEM = "problem"
    """What is searched, where it is no family of networks: {kind, source, provenance, key (of what the figures hang
    on), points (text)}. Of a table also {rows, combinations, missing (both text), front: {rows, size, ideal, nadir,
    hypervolume, points}}, see `problems.true_front`."""
    DATA = "data"
    """{name, requested, train, validation, test (images in each split), classes, found (text: how many images of which
    classes), notices (texts: what was left out, resized or matched), untested (text: why there are no test images, or
    empty), fingerprint, preprocessing}; `name` differs from `requested` when `data.otherwise` was taken."""
    DEVICES = "devices"
    """List of {name, description, backend, provenance, meter, reading, remedy}; `reading` is what the meter reads."""
    SUPERNET = "supernet"
    """{key, seconds, cached, subnet_accuracy: [20 fractions]}."""
    PRIOR = "prior"
    """`ArchitecturePrior.summary()` of the prior that the sampler draws from, where it needs one."""
    HOST = "host"
    """Fingerprint of the host that created the study."""
    VERSIONS = "versions"
    GIT = "git"
    SEED = "seed"
    ARTIFACTS = "artifacts"
    """Absolute path of the artifact folder."""
    TEST_SCORES = "test_scores"
    """{trial number as text: {accuracy, top5, ece, exit_rate, images}} of the front, on the test split."""
    STREAM = "stream:"
    """Prefix, with a trial's number behind it: {device: `RoutedStream.to_json()`} of the front."""
    RECOSTED = "recosted:"
    """Prefix of what networks cost on other devices, see `report.recosted`: NAME: with {device, conditions, confirms},
    and NAME:0, NAME:1, ... with {trial number as text: {costs, steady}}."""
    CONTEST = "contest"
    """{name, label, seed, labels, seeds, control, reference} of a study that competes; absent from all others."""
    SESSION = "session:"
    """Prefix; each process adds {host, hardware, started, seconds, trials, energy_kwh, co2_kg, method}."""


class TrialKeys:
    """Names of a trial's user attributes."""

    SLOT = "slot"
    """{slot, seed, owner, host, pid}: which draw of the sampler this is, and who evaluates it (nobody where `owner` is
    empty: the trial is set aside for a `reason`); with `since`, the time (ISO 8601) at which it was taken up again."""
    OUTCOME = "outcome"
    """`Outcome.to_json()` as JSON text; earlier versions stored the record itself."""
    ENDED = "ended"
    REASON = "reason"
    """One line, where the trial did not complete."""
    PROPOSER = "proposer"
    """The member of a portfolio that proposed it."""


class ArtifactNames:
    """File names of a trial's artifacts."""

    WEIGHTS = "pair.safetensors"
    """Weights of the pair and its router; the metadata holds candidate and layout as JSON."""
    EASY = "easy.onnx"
    """Stem, little network and router as they were scored, batch 1; only of trials below fp32."""
    HARD = "hard.onnx"
    """The big network as it was scored, batch 1; only of trials below fp32."""
    PRIOR = "prior.json"
    """Of a study: the architecture prior of its sampler."""
    CLASSES = "classes.csv"
    """Accuracy, exit rate and images of each class, on the validation split."""

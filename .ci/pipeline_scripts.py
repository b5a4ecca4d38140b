"""Writes every script of pipelines of GitLab and Azure into a folder, for shellcheck: pipeline_scripts.py FOLDER FILE..."""

import sys
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor


class Reference(list):
    """`!reference [JOB, KEY]`."""


def reference(constructor, node):
    return Reference(constructor.construct_sequence(node))


SafeConstructor.add_constructor("!reference", reference)


def of_gitlab(pipeline):
    """The scripts of a job run in one shell, one after the other."""

    def inherited(job, key):
        while key not in job:
            if "extends" not in job:
                return []
            job = pipeline[job["extends"]]
        return job[key]

    def lines(script):
        for part in script:
            if isinstance(part, Reference):
                job, key = part
                yield from lines(pipeline[job][key])
            else:
                yield part

    for name, job in pipeline.items():
        if not name.startswith(".") and "stage" in job:
            yield "\n".join([*lines(inherited(job, "before_script")), *lines(job["script"])])


def of_azure(part):
    if isinstance(part, list):
        for item in part:
            yield from of_azure(item)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in ("bash", "inlineScript"):
                yield value
            else:
                yield from of_azure(value)


def main(folder, *files):
    folder = Path(folder)
    for file in files:
        # GitLab has a head with inputs before it.
        *_, pipeline = YAML(typ="safe", pure=True).load_all(Path(file))
        scripts = list(of_azure(pipeline) if "azure" in Path(file).name else of_gitlab(pipeline))
        assert scripts, f"{file} holds no script that this finds"
        for number, script in enumerate(scripts, 1):
            name = f"{Path(file).stem.strip('.')}-{number}.sh"
            (folder / name).write_text("#!/usr/bin/env bash\n" + script)


main(*sys.argv[1:])

"""Judges documents: reads {"schema": ..., "documents": [...]}, and answers for each what the schema has against it, and its
canonical form by RFC 8785."""

import json
import sys

import jsonschema
import rfc8785

question = json.load(sys.stdin)
validator = jsonschema.Draft202012Validator
validator.check_schema(question["schema"])
judge = validator(question["schema"])
answers = [
    {
        "errors": [error.message for error in judge.iter_errors(document)],
        "canonical": rfc8785.dumps(document).decode(),
    }
    for document in question["documents"]
]
json.dump(answers, sys.stdout)

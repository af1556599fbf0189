"""Every reason code: what it says of what was sent, and what to do about it.

A code is counted in `tidemark_dead_letters_total{reason}` and stands in the problem details of the answer.
docs/dead-letters.md lists them for the reader; a test keeps both complete.
"""

from typing import NamedTuple


class Reason(NamedTuple):
    meaning: str
    remedy: str


_SENDER = "mend the sender; the letter's detail and field say where"
_LIMIT = "send less at once, or raise the limit that the detail names, restart and replay"

# Of dead letters.
REASONS: dict[str, Reason] = {
    "ambiguous_id": Reason("a label whose id is that of predictions of several models", "say the label's model"),
    "bad_arrow": Reason("the body is no Arrow IPC stream, or one of its columns is there twice", _SENDER),
    "bad_base64": Reason("binary data that is not base64", _SENDER),
    "bad_cells": Reason(
        "a line of CSV with more or fewer cells than its header", "mend the line in its file and import that again"
    ),
    "bad_content_type": Reason(
        "rows in a content type that is not read", "send one of the types that the detail names"
    ),
    "bad_data": Reason("a tensor without data, or data that is neither rows nor columns", _SENDER),
    "bad_datatype": Reason("a tensor of a datatype that the Open Inference Protocol does not have", _SENDER),
    "bad_event": Reason("JSON that is not the object or the array of a CloudEvent", _SENDER),
    "bad_brotli": Reason("brotli data that is damaged or ends early", _SENDER),
    "bad_zstd": Reason("zstd data that is damaged or ends early", _SENDER),
    "bad_gzip": Reason("gzip data that is damaged or ends early", _SENDER),
    "bad_deflate": Reason("deflated data that is damaged or ends early", _SENDER),
    "bad_json": Reason("the body is not JSON, or goes on after its JSON", _SENDER),
    "bad_length": Reason(
        "Inference-Header-Content-Length does not fit the body", "mend the sender or the proxy before it"
    ),
    "bad_name": Reason("a tensor's name is no text, or two tensors share one", _SENDER),
    "bad_names": Reason("the names of columns are no texts, or too few or too many", _SENDER),
    "bad_number": Reason("a value that its tensor's datatype cannot hold", _SENDER),
    "bad_row": Reason("a row that is no JSON object", _SENDER),
    "bad_shape": Reason("shape and data disagree, or something is a list where an object belongs", _SENDER),
    "bad_size": Reason("the size of binary data is no number", _SENDER),
    "bad_specversion": Reason("a version of CloudEvents that is not read", _SENDER),
    "bad_status": Reason("a response's status is no HTTP status", _SENDER),
    "bad_tensor": Reason("a tensor that lacks its name, shape, datatype or data", _SENDER),
    "bad_text": Reason("text is expected where something else is", _SENDER),
    "bad_time": Reason("a time that is not RFC 3339", _SENDER),
    "bad_utf8": Reason("text that is not UTF-8", _SENDER),
    "bad_value": Reason("a value of another type or outside its bounds", _SENDER),
    "disconnected": Reason(
        "the sender went away before its body was whole", "look at the sender's timeouts; there is nothing to replay"
    ),
    "forbidden_namespace": Reason(
        "the sender's token may not write into that namespace", "mend the sender, or give its token the tenant"
    ),
    "headers_too_large": Reason("a request's head over limits.header_bytes", "send less, or raise the limit"),
    "internal": Reason(
        "Tidemark itself failed on it", "report it with the detail; replay it with the version that is mended"
    ),
    "masking_failed": Reason(
        "a masking rule could not be applied, so that nothing of it was kept",
        "mend the rule; the sender must send again",
    ),
    "missing_attribute": Reason("a CloudEvent without an attribute that it needs", _SENDER),
    "no_model": Reason("a row that does not say which model it is of", "name the model in the row or in ?model="),
    "ragged": Reason("lists of different lengths where a tensor is expected", _SENDER),
    "several_rows": Reason("a label for a request of several rows", "label each row by its own id, <request id>-<row>"),
    "slow_body": Reason(
        "the body did not arrive within limits.body_seconds", "look at the sender's network; there is nothing to replay"
    ),
    "store_refused": Reason(
        "rows that were accepted and that the store will never take as they are",
        "remove what the detail names from the store (a constraint, a view), then replay",
    ),
    "too_deep": Reason("nested deeper than any inference is", _SENDER),
    "too_long": Reason("a name, an id or a tag longer than its limit", _LIMIT),
    "too_many_bad_rows": Reason("more bad rows in one request than limits.bad_rows_per_request", _SENDER),
    "too_many_headers": Reason("more lines in a request's head than limits.headers", "send fewer, or raise the limit"),
    "too_many_rows": Reason("more rows in a payload than limits.rows_per_request", _LIMIT),
    "too_many_tags": Reason("more tags than limits.tags", _LIMIT),
    "too_many_tensors": Reason("more tensors in a payload than limits.tensors", _LIMIT),
    "too_large": Reason("over a limit on bytes, rows, events or models", _LIMIT),
    "too_many_fields": Reason("more fields in a row than limits.fields_per_row", _LIMIT),
    "trailing_bytes": Reason("binary data beyond the last tensor", _SENDER),
    "truncated_tensor": Reason("binary data that ends within a tensor", _SENDER),
    "unknown_content_type": Reason("a payload in a content type that is not read", _SENDER),
    "unknown_encoding": Reason("a content encoding that is not read", "send gzip, deflate, br, zstd or plain bytes"),
    "unknown_event_type": Reason(
        "a CloudEvent that is neither request nor response of an inference", "do not send it here"
    ),
    "unknown_format": Reason("JSON that is no inference in any format that is read", _SENDER),
    "unknown_key": Reason("a key, column or parameter that does not exist; the detail names the nearest", _SENDER),
    "unnamed_columns": Reason(
        "masking rules go by names, and a tensor's columns have none",
        "name them under models.<m>.names, or list the model in masking.keep_unnamed",
    ),
    "unreadable_frame": Reason(
        "what was in the log when Tidemark stopped cannot be read any more",
        "undo what changed between (a limit, the version), restart and replay",
    ),
}

# Of answers that leave no letter: what was asked is wrong, and nothing was sent that could be lost.
ANSWERS: dict[str, Reason] = {
    "bad_cursor": Reason("a cursor that is not the 'next' of an earlier page", "begin at the first page"),
    "missing_scope": Reason(
        "the token has not the scope that the call needs", "add it under 'tokens' in tidemark.yaml"
    ),
    "no_token": Reason("a call without a token", "send 'Authorization: Bearer <token>'"),
    "unknown_token": Reason("a token that is not in tidemark.yaml", "make one with `tidemark token` and add its hash"),
    "bad_parameter": Reason("a parameter of the query that does not exist or has a wrong value", "see /docs"),
    "not_found": Reason("nothing is kept under that name", "look at the list"),
    "not_replayable": Reason("a dead letter that cannot be brought in; the detail says why", "send the call again"),
    "replay_under_way": Reason("a dead letter that somebody is replaying just now", "look at it again in a moment"),
    "unknown_tap": Reason("no tap has that name", "add it under 'taps' in tidemark.yaml"),
}

"""tritonclient: triton.py URL MODEL PICTURE ADMIN_URL"""

import base64
import sys

import numpy as np
import tritonclient.http as triton
from google.protobuf import json_format
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

url, model, path, admin = sys.argv[1:]
with open(path, "rb") as file:
    picture = file.read()
client = triton.InferenceServerClient(url.removeprefix("http://"))


def image(binary=True, n=1):
    tensor = triton.InferInput("image", [n], "BYTES")
    if binary:
        tensor.set_data_from_numpy(np.array([picture] * n, dtype=object), binary_data=True)
    else:
        text = base64.b64encode(picture).decode()
        tensor.set_data_from_numpy(np.array([text] * n, dtype=object), binary_data=False)
    return tensor


def refused(status, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except InferenceServerException as error:
        assert error.status() == str(status), error
        return error.message()
    raise AssertionError(f"{function.__name__} was not refused")


def check(answer, n=1):
    rows = answer.as_numpy("posteriors")
    assert rows.shape == (n, 6) and abs(rows.sum() - n) < 1e-4, rows
    assert (rows.argmax(axis=1) == 1).all(), rows
    return rows


assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
assert client.is_model_ready(model, "1") and not client.is_model_ready(model, "2")
assert client.get_server_metadata()["name"] == "vgg"
for version in ("", "1"):
    assert client.get_model_metadata(model, version)["inputs"][0]["name"] == "image"
    config = client.get_model_config(model, version)
    message = json_format.ParseDict(config, model_config_pb2.ModelConfig())
    assert message.max_batch_size == 16 and message.input[1].dims == [3, -1, -1], message

before = client.get_inference_statistics(model)["model_stats"][0]["inference_count"]
rows = check(client.infer(model, [image()]))
for binary in (True, False):
    for asked in (None, [triton.InferRequestedOutput("posteriors", binary_data=binary)]):
        answer = client.infer(model, [image(binary, 2)], outputs=asked, request_id="7",
                              priority=3, timeout=60_000_000, parameters={"mine": "x"})
        assert (check(answer, 2)[0] == rows[0]).all()
        assert answer.get_response()["id"] == "7"
best = triton.InferRequestedOutput("posteriors", class_count=2)
elements = client.infer(model, [image()], outputs=[best]).as_numpy("posteriors")
assert elements.shape == (1, 2) and elements[0][0].decode().endswith(":glass"), elements
pixels = triton.InferInput("pixels", [1, 3, 128, 128], "FP32")
pixels.set_data_from_numpy(np.zeros((1, 3, 128, 128), np.float32))
assert client.infer(model, [pixels]).as_numpy("posteriors").shape == (1, 6)
assert client.async_infer(model, [image()]).get_result().as_numpy("posteriors").shape == (1, 6)
for version in ("", "1"):
    stats = client.get_inference_statistics(model, version)
    message = json_format.ParseDict(stats, service_pb2.ModelStatisticsResponse())
    assert message.model_stats[0].inference_count - before == 12, stats
    assert message.model_stats[0].batch_stats[1].batch_size == 2, stats
assert client.get_inference_statistics() == stats

if "known" in [output["name"] for output in client.get_model_metadata(model)["outputs"]]:
    for binary in (True, False):
        asked = [triton.InferRequestedOutput(name, binary_data=binary)
                 for name in ("typicality", "known")]
        answer = client.infer(model, [image(binary, 2)], outputs=asked, parameters={"reject": 1})
        typicality, known = answer.as_numpy("typicality"), answer.as_numpy("known")
        assert typicality.shape == known.shape == (2, 1) and known.dtype == bool, known
        assert (0 < typicality).all() and ((typicality == 1) == known).all(), typicality
    refused(400, client.infer, model, [image()], outputs=asked, parameters={"flip": False})

for coding in ("gzip", "deflate"):
    check(client.infer(model, [image()], request_compression_algorithm=coding,
                       response_compression_algorithm=coding))

assert "one input" in refused(400, client.infer, model, [image(), pixels])
assert "sequence_id" in refused(400, client.infer, model, [image()], sequence_id=5)
shared = triton.InferRequestedOutput("posteriors")
shared.set_shared_memory("region", 24)
assert "shared memory" in refused(400, client.infer, model, [image()], outputs=[shared])
empty = triton.InferInput("image", [1], "BYTES")
empty.set_data_from_numpy(np.array([b""], dtype=object))
assert "picture 1 of input image is empty" in refused(400, client.infer, model, [empty])
assert "trace/setting" in refused(404, client.get_trace_settings, model)
refused(404, client.get_log_settings)
refused(404, client.get_system_shared_memory_status)
refused(404, client.get_model_config, "other")

operator = triton.InferenceServerClient(admin.removeprefix("http://"))
assert operator.get_model_repository_index()[0]["state"] == "READY"
operator.load_model(model)
assert "always serves" in refused(400, operator.unload_model, model)

"""A client of the Open Inference Protocol v2, written from its specification alone: JSON over HTTP,
the binary-data extension (Inference-Header-Content-Length, binary_data_size) and the classification
extension. Standard library only.
"""

import base64
import http.client
import json
import struct

SIZES = {"FP32": 4}


class Refused(Exception):
    """An answer that is an error, which must be {"error": text}."""

    def __init__(self, status, headers, body):
        message = json.loads(body)
        assert set(message) == {"error"} and isinstance(message["error"], str), body
        super().__init__(f"{status}: {message['error']}")
        self.status, self.headers, self.error = status, headers, message["error"]


class Client:
    def __init__(self, port):
        self.port = port

    def send(self, method, path, body=None, headers=None):
        """Status, headers and body of any answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path):
        status, headers, body = self.send("GET", path)
        if status != 200:
            raise Refused(status, headers, body)
        return json.loads(body)

    def is_true(self, path, name):
        status, _, body = self.send("GET", path)
        assert (status == 200) == (json.loads(body).get(name) is True)
        return status == 200

    def live(self):
        return self.is_true("/v2/health/live", "live")

    def ready(self):
        return self.is_true("/v2/health/ready", "ready")

    def server(self):
        return self.get("/v2")

    def model(self, name, version=None):
        return self.get(model_path(name, version))

    def model_ready(self, name, version=None):
        return self.is_true(model_path(name, version) + "/ready", "ready")

    def infer(self, name, inputs, outputs=None, version=None, **members):
        """inputs: of Input. The answer with the values of its outputs by name in "values"."""
        request = dict(members, inputs=[tensor.description for tensor in inputs])
        if outputs is not None:
            request["outputs"] = outputs
        text = json.dumps(request).encode()
        binary = b"".join(tensor.binary for tensor in inputs)
        headers = {"Inference-Header-Content-Length": str(len(text))} if binary else {}
        status, headers, body = self.send("POST", model_path(name, version) + "/infer",
                                          text + binary, headers)
        if status != 200:
            raise Refused(status, headers, body)
        return read_answer(headers, body)


def model_path(name, version):
    return f"/v2/models/{name}" + (f"/versions/{version}" if version else "")


class Input:
    """An input tensor; `values` is a list of bytes, or of floats in row-major order."""

    def __init__(self, name, datatype, shape, values, binary=False, **parameters):
        self.description = {"name": name, "datatype": datatype, "shape": shape}
        self.binary = b""
        if binary:
            self.binary = pack(datatype, values)
            parameters["binary_data_size"] = len(self.binary)
        elif datatype == "BYTES":
            self.description["data"] = [base64.b64encode(value).decode() for value in values]
        else:
            self.description["data"] = values
        if parameters:
            self.description["parameters"] = parameters


def pack(datatype, values):
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    return struct.pack(f"<{len(values)}f", *values)


def unpack(datatype, data):
    if datatype != "BYTES":
        return list(struct.unpack(f"<{len(data) // SIZES[datatype]}f", data))
    values = []
    while data:
        length, = struct.unpack_from("<I", data)
        assert 4 + length <= len(data)
        values.append(data[4:4 + length].decode())
        data = data[4 + length:]
    return values


def read_answer(headers, body):
    length = headers.get("Inference-Header-Content-Length")
    assert headers["Content-Type"] == ("application/octet-stream" if length else "application/json")
    size = len(body) if length is None else int(length)
    answer, binary = json.loads(body[:size]), body[size:]
    answer["values"] = {}
    for output in answer["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = output["data"]
        else:
            assert "data" not in output and size <= len(binary)
            values, binary = unpack(output["datatype"], binary[:size]), binary[size:]
        count = 1
        for side in output["shape"]:
            count *= side
        assert len(values) == count, f"{len(values)} values of the shape {output['shape']}"
        answer["values"][output["name"]] = values
    assert binary == b"", "bytes follow that belong to no output"
    return answer

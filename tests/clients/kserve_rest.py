"""KServe's Python client: kserve_rest.py URL MODEL PICTURE"""

import asyncio
import base64
import sys

import numpy as np
from kserve import (InferenceRESTClient, InferInput, InferRequest, RESTConfig)
from kserve.protocol.infer_type import RequestedOutput

url, model, path = sys.argv[1:]
with open(path, "rb") as file:
    picture = file.read()


def request(outputs=None, binary=True, **parameters):
    image = InferInput("image", [1], "BYTES", parameters={"content_type": "base64"})
    if binary:
        image.set_data_from_numpy(np.array([picture], dtype=object), binary_data=True)
    else:
        image = InferInput("image", [1], "BYTES", data=[base64.b64encode(picture).decode()])
    return InferRequest(model, [image], parameters=parameters, request_outputs=outputs)


async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, model)
    for binary in (True, False):
        for output in (True, False):
            answer = await client.infer(url, request(binary=binary, binary_data_output=output,
                                                     priority=1), model)
            row = answer.outputs[0].as_numpy()
            assert row.shape == (1, 6) and row.argmax() == 1, row
    best = RequestedOutput("posteriors", parameters={"classification": 1})
    answer = await client.infer(url, request([best]), model)
    assert answer.outputs[0].data[0].endswith(":glass"), answer


asyncio.run(main())

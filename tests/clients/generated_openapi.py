"""openapi-generator's Python client: generated_python.py URL MODEL PICTURE"""

import base64
import sys

import openapi_client as vgg
from openapi_client.models import (ImageInput, InferInput, InferPosteriors,
                                   InferPosteriorsParameters, InferRequest, InferRequestedOutput)

url, model, path = sys.argv[1:]
with open(path, "rb") as file:
    picture = file.read()
api = vgg.ApiClient(vgg.Configuration(host=url))

answer = vgg.ClassifyApi(api).classify(picture, top_k=2, flip="off").actual_instance
assert answer.top[0].label == "glass" and len(answer.top) == 2, answer

image = ImageInput(name="image", datatype="BYTES", shape=[1],
                   data=[base64.b64encode(picture).decode()])
v2 = vgg.V2Api(api)


def infer(outputs=None):
    request = InferRequest(inputs=[InferInput(image)], outputs=outputs)
    output, = v2.v2_infer(model, request).outputs
    return output.actual_instance


floats = infer()
assert floats.datatype == "FP32" and len(floats.data) == floats.shape[1], floats
best = InferPosteriors(name="posteriors", parameters=InferPosteriorsParameters(classification=1))
assert infer([InferRequestedOutput(best)]).data[0].endswith(":glass")
assert v2.v2_model_stats(model).model_stats[0].inference_count >= 3

// openapi-generator's Go client: generated URL MODEL PICTURE
package main

import (
	"context"
	"encoding/base64"
	"log"
	"os"
	"strings"

	vgg "github.com/GIT_USER_ID/GIT_REPO_ID"
)

func check(good bool, what any) {
	if !good {
		log.Fatalf("%v", what)
	}
}

func main() {
	url, model, path := os.Args[1], os.Args[2], os.Args[3]
	configuration := vgg.NewConfiguration()
	configuration.Servers = vgg.ServerConfigurations{{URL: url}}
	client, ctx := vgg.NewAPIClient(configuration), context.Background()

	file, err := os.Open(path)
	check(err == nil, err)
	answer, _, err := client.ClassifyAPI.Classify(ctx).Body(file).TopK(2).Execute()
	check(err == nil, err)
	check(answer.Answer != nil && *answer.Answer.Top[0].Label == "glass" && len(answer.Answer.Top) == 2, answer)

	bytes, err := os.ReadFile(path)
	check(err == nil, err)
	text := base64.StdEncoding.EncodeToString(bytes)
	input := vgg.NewImageInput("image", "BYTES", []int32{1}, []string{text})
	request := vgg.NewInferRequest([]vgg.InferInput{{ImageInput: input}})
	infer := func() vgg.InferOutput {
		response, _, err := client.V2API.V2Infer(ctx, model).InferRequest(*request).Execute()
		check(err == nil, err)
		return response.Outputs[0]
	}
	floats := infer().FloatsOutput
	check(floats != nil && len(floats.Data) == int(floats.Shape[1]), floats)
	best := vgg.NewInferPosteriors("posteriors")
	best.SetParameters(vgg.InferPosteriorsParameters{Classification: vgg.PtrInt32(1)})
	request.Outputs = []vgg.InferRequestedOutput{{InferPosteriors: best}}
	classes := infer().ClassesOutput
	check(classes != nil && strings.HasSuffix(classes.Data[0], ":glass"), classes)
}

// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

const (
	// strong is the smallest magnitude of a quake that is assessed.
	strong = 4.5
	// batchSize is the number of quakes that a Job assesses.
	batchSize = 30
	// labelRun is the label of a Job with the id of the run of the demo.
	labelRun = "quakes.example/run"
)

// fieldJob is the field of a quake with the name of the Job that assesses it.
const fieldJob = "job"

// dispatcher creates a Job for each batch of strong quakes.
type dispatcher struct {
	*service
	quakes   *mongo.Collection
	consumer *mongocarrier.Consumer
	stage    *stages.Stage
	jobs     batchclient.JobInterface
	made     int
}

// dispatch is a poller. It claims strong quakes in MongoDB and creates a Job for each
// full batch, and for the rest when it is asked to finish.
func dispatch(ctx context.Context, s *service, _ []string) error {
	d, err := newDispatcher(s)
	if err != nil {
		return err
	}
	defer s.handOver(ctx)
	work := context.WithoutCancel(ctx) // What has begun is finished.
	for ctx.Err() == nil {
		for {
			var made bool
			if made, err = d.dispatch(work, batchSize); err != nil {
				return err
			}
			if !made {
				break
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if errors.Is(context.Cause(ctx), errFinish) {
		_, err = d.dispatch(work, 1)
	}
	return err
}

func newDispatcher(s *service) (*dispatcher, error) {
	pipeline, err := s.newPipeline("quakes")
	if err != nil {
		return nil, err
	}
	stage, err := pipeline.Stage("dispatch", stages.WithSource(collectionQuakes))
	if err != nil {
		return nil, err
	}
	client, err := kubernetesJobs(setting(envKubeconfig))
	if err != nil {
		return nil, err
	}
	jobs := batchclient.JobInterface(k8scarrier.NewJobs(client, k8scarrier.WithJobInfo()))
	if faulty(faultJob) {
		jobs = bareJobs{client}
	}
	return &dispatcher{
		service:  s,
		quakes:   s.db.Collection(collectionQuakes),
		consumer: mongocarrier.NewConsumer(collectionQuakes, mongocarrier.WithObserver(s.metrics)),
		stage:    stage,
		jobs:     jobs,
	}, nil
}

// dispatch claims the next batch and creates its Job, if there are at least atLeast
// quakes. It reports whether it did.
func (d *dispatcher) dispatch(ctx context.Context, atLeast int) (made bool, err error) {
	name := fmt.Sprintf("assess-%s-%d", setting(envRun), d.made+1)
	remotes, err := d.claim(ctx, name, atLeast)
	if err != nil || len(remotes) == 0 {
		return false, err
	}
	d.made++
	// One span for the batch, with a link to the span that loaded each quake.
	return true, d.consumer.ProcessBatch(ctx, remotes, func(ctx context.Context) error {
		return d.stage.Run(ctx, func(ctx context.Context) error {
			run := stages.FromContext(ctx)
			run.Read(len(remotes))
			if _, err := d.jobs.Create(ctx, newJob(name), metav1.CreateOptions{}); err != nil {
				return errors.Join(err, d.release(ctx, name))
			}
			run.Wrote(len(remotes))
			d.log.InfoContext(ctx, "created", "job", name, "quakes", len(remotes))
			return nil
		})
	})
}

// claim marks the next strong quakes with the name of a Job, if there are at least
// atLeast of them, and returns the contexts of their documents.
func (d *dispatcher) claim(ctx context.Context, job string, atLeast int) ([]propagation.Remote, error) {
	unclaimed := bson.D{{Key: "magnitude", Value: bson.D{{Key: "$gte", Value: strong}}}, {Key: fieldJob, Value: nil}}
	cursor, err := d.quakes.Find(ctx, unclaimed, options.Find().SetLimit(batchSize))
	if err != nil {
		return nil, err
	}
	var found []bson.Raw
	if err = cursor.All(ctx, &found); err != nil || len(found) < atLeast {
		return nil, err
	}
	var ids bson.A
	var remotes []propagation.Remote
	for _, document := range found {
		ids = append(ids, document.Lookup("_id"))
		remotes = append(remotes, mongocarrier.ReadRaw(document))
	}
	_, err = d.quakes.UpdateMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: fieldJob, Value: job}}}})
	return remotes, err
}

// release removes the mark from the quakes of a Job that could not be created.
func (d *dispatcher) release(ctx context.Context, job string) error {
	_, err := d.quakes.UpdateMany(ctx, bson.D{{Key: fieldJob, Value: job}},
		bson.D{{Key: "$unset", Value: bson.D{{Key: fieldJob, Value: ""}}}})
	return err
}

// newJob returns the Job that assesses the quakes marked with name. The environment
// of its pod has the addresses of the servers, and the context when the Job is
// created.
func newJob(name string) *batchv1.Job {
	env := []corev1.EnvVar{{Name: envBatch, Value: name}, {Name: envResource, Value: "k8s.job.name=" + name}}
	for _, name := range podSettings {
		env = append(env, corev1.EnvVar{Name: name, Value: setting(name)})
	}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelRun: setting(envRun)}},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers: []corev1.Container{{
					Name:    "assess",
					Image:   setting(envImage),
					Command: []string{"quakes", "assess", "$(" + envBatch + ")"},
					Env:     env,
				}},
			}},
		},
	}
}

// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/metrics"
)

// patience is the time in which a server of the user must answer.
const patience = 5 * time.Second

// startServers checks the servers that flags name, starts the others, and adds their
// addresses to the environment of the services. It returns a function that stops
// them, also with an error.
func (d *demo) startServers(ctx context.Context) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, stop := range stops {
			stop()
		}
	}
	program, err := os.Executable()
	if err != nil {
		return stop, err
	}
	d.supervisor = newSupervisor(program, d.logsDir())
	d.tell("PATH", os.Getenv("PATH"))
	d.tell(envRun, d.id)
	if d.fault.name != "" {
		d.tell(envBreak, d.fault.name)
		d.tell(envJournal, "spans") // A program that is searched for a fault records what it extracts.
	}
	for _, start := range []func(context.Context) (func(), error){
		d.startReporter, d.startView, d.startTraces, d.startMetrics, d.startKafka, d.startMongo, d.startDatabricks, d.startKubernetes,
	} {
		stopOne, err := start(ctx)
		if err != nil {
			return stop, err
		}
		stops = append(stops, stopOne)
	}
	return stop, nil
}

func (d *demo) startTraces(context.Context) (stop func(), err error) {
	if d.otlp != "" {
		if err = local.SendTraces(d.otlp, nil); err != nil {
			return nil, fmt.Errorf("no trace backend takes OTLP at %s (--otlp): %w", d.otlp, err)
		}
	}
	traces, url, stop, err := local.StartTraces(filepath.Join(d.out, spansFile), d.otlp)
	d.traces = traces
	d.tell(envOTLP, url)
	return stop, err
}

func (d *demo) startMetrics(ctx context.Context) (stop func(), err error) {
	pushes, url, stop, err := local.StartPushes()
	if err != nil {
		return nil, err
	}
	d.pushes = pushes
	d.tell(envPushgateway, url)
	if d.metrics == "" {
		return stop, nil
	}
	if d.served, err = metrics.Listen(ctx, d.metrics, pushes); err != nil {
		stop()
		return nil, fmt.Errorf("the metrics cannot be served at %s (--metrics): %w", d.metrics, err)
	}
	return stop, nil
}

func (d *demo) startKafka(ctx context.Context) (stop func(), err error) {
	addr, stop := d.kafka, func() {}
	if addr == "" {
		if addr, stop, err = local.StartKafka(); err != nil {
			return nil, err
		}
	} else if err = dial(addr); err != nil {
		return nil, fmt.Errorf("no Kafka broker answers at %s (--kafka): %w", addr, err)
	}
	group := "quakes-clean-" + d.id
	if d.broker, err = newKafkaAdmin(ctx, addr, group); err != nil {
		stop()
		return nil, fmt.Errorf("the Kafka broker at %s (--kafka) does not serve: %w", addr, err)
	}
	d.tell(envKafka, addr)
	d.tell(envGroup, group)
	return stop, nil
}

// dial returns an error unless a server listens at addr.
func dial(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (d *demo) startMongo(ctx context.Context) (stop func(), err error) {
	uri, stop := d.mongo, func() {}
	if uri == "" {
		if uri, stop, err = local.StartMongo(); err != nil {
			return nil, err
		}
	}
	client, err := connect(uri)
	if err == nil {
		err = client.Ping(ctx, nil)
	}
	if mongo.IsTimeout(err) {
		err = fmt.Errorf("none within %s", patience)
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("no MongoDB server answers at %s (--mongo): %w", uri, err)
	}
	stopServer := stop
	stop = func() {
		_ = client.Disconnect(context.WithoutCancel(ctx)) // The server waits for its clients.
		stopServer()
	}
	database := "quakes-" + d.id
	d.db = client.Database(database)
	d.tell(envMongo, uri)
	d.tell(envDatabase, database)
	d.events, err = seed(ctx, d.db.Collection(collectionCatalog), d.limit)
	if err != nil {
		stop()
		return nil, fmt.Errorf("fill the catalog in MongoDB: %w", err)
	}
	return stop, nil
}

func (d *demo) startDatabricks(ctx context.Context) (stop func(), err error) {
	url, token, stop := d.databricks, setting(envDatabricksToken), func() {}
	if url == "" {
		token = "none"
		if url, stop, err = local.StartDatabricks(d.launchRun, d.reporter().command...); err != nil {
			return nil, err
		}
	}
	if err := checkDatabricks(ctx, url, token, d.databricksJob); err != nil {
		stop()
		return nil, fmt.Errorf("no Databricks workspace with the job %s answers at %s (--databricks): %w", d.databricksJob, url, err)
	}
	d.tell(envDatabricksHost, url)
	d.tell(envDatabricksToken, token)
	d.tell(envDatabricksJob, d.databricksJob)
	d.tell(envReports, d.reportsDir())
	return stop, nil
}

func (d *demo) startKubernetes(ctx context.Context) (stop func(), err error) {
	file, stop := d.kubeconfig, func() {}
	if file == "" {
		var url string
		var stopServer func()
		if url, stopServer, err = local.StartKubernetes(d.launch); err != nil {
			return nil, err
		}
		file = filepath.Join(d.out, "kubeconfig")
		stop = func() { stopServer(); _ = os.Remove(file) }
		if err = local.WriteKubeconfig(file, url); err != nil {
			stop()
			return nil, err
		}
	}
	d.tell(envKubeconfig, file)
	d.tell(envImage, d.image)
	if d.jobs, err = kubernetesJobs(file); err == nil {
		_, err = d.jobs.List(ctx, metav1.ListOptions{Limit: 1})
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("no Kubernetes API server answers as %s says (--kubeconfig): %w", file, err)
	}
	return stop, nil
}

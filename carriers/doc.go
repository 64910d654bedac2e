// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package carriers adapts the shapes that data has almost everywhere to
// OpenTelemetry carriers: maps, lists of pairs, and single texts.
//
// # When
//
// Use it for a client library whose headers, attributes or metadata have one of
// these shapes. Kafka, MongoDB, processes, Kubernetes and job parameters have
// packages of their own, below this one, which know more about their medium.
//
//	medium                                     Go type                        carrier
//	Watermill, message.Metadata                map[string]string              Map
//	asynq, Task.Headers                        map[string]string              Map
//	Google Pub/Sub, Attributes                 map[string]string              Map, in Within 100
//	Go CDK pubsub, Metadata                    map[string]string              Map
//	Conduit, opencdc.Metadata                  map[string]string              Map
//	CloudEvents, Extensions                    map[string]any                 AnyMap; SetExtension writes
//	AMQP 0.9.1, amqp091.Table                  map[string]any                 AnyMap
//	AMQP 1.0, ApplicationProperties            map[string]any                 AnyMap
//	Redis Streams, Values                      map[string]any                 AnyMap
//	NATS, nats.Header                          map[string][]string            MultiMap
//	gRPC, metadata.MD                          map[string][]string            FoldedMultiMap
//	S3, object metadata                        map[string]string              FoldedMap, 2 KB
//	Google Cloud Storage, object metadata      map[string]string              FoldedMap, 8 KiB
//	Azure Blob, metadata                       map[string]*string             a FoldedMap of the values
//	MQTT v5, paho.UserProperties               []struct{ Key, Value string }  Pairs
//	Parquet, key-value metadata                a list of keys and values      Map, written as a list
//	Avro, metadata of an object container      map[string][]byte              BytesMap
//	Arrow, Metadata.ToMap, MetadataFrom        map[string]string              Map
//	Temporal, Benthos                          methods that set and get       a Setter and a Getter
//	SQS and SNS, MessageAttributes             map[string]MessageAttributeValue  the same, in Within 10
//	River, JobRow.Metadata                     []byte, JSON                   JSON
//	SQL, a column of JSON                      []byte or string               JSON
//	SQL, a row with a column for each key      map[string]string              Map
//	Debezium outbox, tracingspancontext        string                         Properties
//	files, and any one text                    string or []byte               JSON, Properties
//	an HTTP header                             http.Header                    OpenTelemetry's HeaderCarrier
//	Kafka, record headers                                                     kafkacarrier
//	MongoDB, documents                                                        mongocarrier
//	environment of a process                                                  envcarrier
//	Databricks, Airflow, Spark, Argo                                          jobcarrier
//	Kubernetes env, annotations, Jobs                                         k8scarrier
//	anything else                              a Setter and a Getter          see package propagation
//
// A header type with the shape of a map is converted, whatever its name:
// MultiMap(msg.Header). Do not use OpenTelemetry's HeaderCarrier for a header
// other than HTTP's: it writes "Traceparent", which readers that keep case do not
// find.
//
// # How
//
// A carrier is given to propagation.InjectTextMap, ExtractTextMap or
// ReadTextMap:
//
//	propagation.InjectTextMap(ctx, carriers.MultiMap(msg.Header))
//	ctx = propagation.ExtractTextMap(ctx, carriers.MultiMap(msg.Header))
//
// # Guarantees
//
//   - The maps and [Pairs] are conversions: they hold no state and cost nothing.
//   - A carrier modifies the map, list variable or text it was made of, and never
//     memory that a copy of the message shares: the values in a map, the array
//     of a list and the bytes of a text are replaced, not written to. A map is
//     the medium itself, so clone it before injecting if it is shared.
//   - Set replaces. Other keys and their order are kept.
//   - Injecting removes what the propagator wrote before, in whatever case, and
//     writes keys in the case the propagator uses; [FoldedMap] and
//     [FoldedMultiMap] write lower case.
//   - Nil carriers are empty, and Set is a no-op. Nothing panics.
//   - Reading and injecting take time proportional to the size of the carrier.
//   - Any number of goroutines may read one carrier; writing must not be
//     concurrent.
//
// Each of them passes carriertest.
//
// # Limits
//
// Media have limits that the shape does not show. Within keeps to a number of
// keys, all or nothing; propagation.WithMaxBytes keeps to a number of bytes. Data
// that is stored should hold no baggage that its readers do not need: see
// propagation.WithBaggage.
//
// No telemetry is emitted.
package carriers

// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A service in Java that knows nothing of OpenTelemetry: the agent instruments it.
 *
 * <pre>
 *   Peer produce TOPIC COUNT
 *   Peer consume TOPIC COUNT [NEXT]
 * </pre>
 *
 * The consumer sends each message on to the topic NEXT. KAFKA_BROKER names the server, and the
 * variables of OpenTelemetry everything else.
 */
public final class Peer {
  private static final Map<String, Object> SERVER =
      Map.of("bootstrap.servers", System.getenv("KAFKA_BROKER"));

  public static void main(String[] args) {
    var count = Integer.parseInt(args[2]);
    try (var producer = new KafkaProducer<>(SERVER, new StringSerializer(), new StringSerializer())) {
      if (args[0].equals("produce")) {
        for (var n = 0; n < count; n++) {
          producer.send(new ProducerRecord<>(args[1], "order " + n));
        }
      } else {
        consume(args[1], count, args.length > 3 ? args[3] : null, producer);
      }
    }
  }

  private static void consume(
      String topic, int count, String next, KafkaProducer<String, String> producer) {
    Map<String, Object> config =
        Map.of(
            "bootstrap.servers", SERVER.get("bootstrap.servers"),
            "group.id", topic,
            "auto.offset.reset", "earliest");
    try (var consumer =
        new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (count > 0) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          if (next != null) {
            producer.send(new ProducerRecord<>(next, record.value()));
          }
          count--;
        }
      }
    }
  }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.otlp.http.metrics.OtlpHttpMetricExporter;
import io.opentelemetry.sdk.metrics.Aggregation;
import io.opentelemetry.sdk.metrics.InstrumentSelector;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.View;
import io.opentelemetry.sdk.metrics.export.PeriodicMetricReader;
import io.opentelemetry.sdk.resources.Resource;
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Plays the scenario with the OpenTelemetry SDK for Java. Usage: Play ENDPOINT SCENARIO NAMESPACE */
public final class Play {
  private static final Duration NEVER_BY_ITSELF = Duration.ofHours(1);

  private interface Recorder {
    void record(double value, Attributes attributes, Context context);
  }

  public static void main(String[] arguments) throws Exception {
    JsonNode scenario = new ObjectMapper().readTree(new File(arguments[1]));
    List<SdkMeterProvider> providers = new ArrayList<>();
    List<Map<String, Recorder>> recorders = new ArrayList<>();
    for (JsonNode attributes : scenario.get("resources")) {
      AttributesBuilder resource = attributes(attributes).toBuilder();
      resource.put("service.namespace", arguments[2]);
      providers.add(provider(resource.build(), scenario, arguments[0]));
      recorders.add(recorders(providers.get(providers.size() - 1), scenario));
    }
    int index = 0;
    for (JsonNode steps : scenario.get("exports")) {
      Thread.sleep(index++ == 0 ? 0 : 1000);
      for (JsonNode step : steps) {
        Recorder recorder = recorders.get(step.get("resource").asInt()).get(step.get("instrument").asText());
        Attributes attributes = attributes(step.get("attributes"));
        for (JsonNode value : step.get("values")) {
          recorder.record(value.asDouble(), attributes, context(step.get("span")));
        }
      }
      for (SdkMeterProvider provider : providers) {
        if (!provider.forceFlush().join(10, TimeUnit.SECONDS).isSuccess()) {
          throw new IllegalStateException("an export failed");
        }
      }
    }
    String version = Resource.getDefault().getAttributes().asMap().entrySet().stream()
        .filter(entry -> entry.getKey().getKey().equals("telemetry.sdk.version"))
        .map(entry -> entry.getValue().toString()).findFirst().orElse("unknown");
    System.out.println(
        "{\"sdk\": \"opentelemetry-java\", \"version\": \"" + version + "\", \"supports\": [\"exemplars\"]}");
    System.exit(0);
  }

  private static SdkMeterProvider provider(Attributes resource, JsonNode scenario, String endpoint) {
    var exporter = OtlpHttpMetricExporter.builder().setEndpoint(endpoint).setCompression("gzip").build();
    var builder = SdkMeterProvider.builder()
        .setResource(Resource.getDefault().merge(Resource.create(resource)))
        .registerMetricReader(PeriodicMetricReader.builder(exporter).setInterval(NEVER_BY_ITSELF).build());
    for (JsonNode instrument : scenario.get("instruments")) {
      if (instrument.get("kind").asText().equals("exponential_histogram")) {
        builder.registerView(
            InstrumentSelector.builder().setName(instrument.get("name").asText()).build(),
            View.builder().setAggregation(Aggregation.base2ExponentialBucketHistogram()).build());
      }
    }
    return builder.build();
  }

  private static Map<String, Recorder> recorders(SdkMeterProvider provider, JsonNode scenario) {
    Map<String, Meter> meters = new HashMap<>();
    for (JsonNode scope : scenario.get("scopes")) {
      String name = scope.get("name").asText();
      meters.put(name, provider.meterBuilder(name).setInstrumentationVersion(scope.get("version").asText()).build());
    }
    Map<String, Recorder> recorders = new HashMap<>();
    for (JsonNode instrument : scenario.get("instruments")) {
      Meter meter = meters.get(instrument.get("scope").asText());
      recorders.put(instrument.get("name").asText(), recorder(meter, instrument));
    }
    return recorders;
  }

  private static Recorder recorder(Meter meter, JsonNode instrument) {
    String name = instrument.get("name").asText();
    String unit = instrument.get("unit").asText();
    String description = instrument.get("description").asText();
    switch (instrument.get("kind").asText()) {
      case "counter": {
        var counter = meter.counterBuilder(name).setUnit(unit).setDescription(description).build();
        return (value, attributes, context) -> counter.add((long) value, attributes, context);
      }
      case "double_counter": {
        var counter = meter.counterBuilder(name).ofDoubles().setUnit(unit).setDescription(description).build();
        return counter::add;
      }
      case "up_down_counter": {
        var counter = meter.upDownCounterBuilder(name).setUnit(unit).setDescription(description).build();
        return (value, attributes, context) -> counter.add((long) value, attributes, context);
      }
      case "gauge":
        return meter.gaugeBuilder(name).setUnit(unit).setDescription(description).build()::set;
      default: {
        var builder = meter.histogramBuilder(name).setUnit(unit).setDescription(description);
        if (instrument.has("bounds")) {
          List<Double> bounds = new ArrayList<>();
          instrument.get("bounds").forEach(bound -> bounds.add(bound.asDouble()));
          builder.setExplicitBucketBoundariesAdvice(bounds);
        }
        return builder.build()::record;
      }
    }
  }

  private static Attributes attributes(JsonNode object) {
    AttributesBuilder attributes = Attributes.builder();
    object.fields().forEachRemaining(field -> {
      JsonNode value = field.getValue();
      if (value.isBoolean()) {
        attributes.put(field.getKey(), value.asBoolean());
      } else if (value.isIntegralNumber()) {
        attributes.put(field.getKey(), value.asLong());
      } else {
        attributes.put(field.getKey(), value.asText());
      }
    });
    return attributes.build();
  }

  /** The context of a span that was sampled elsewhere, which is what makes an exemplar. */
  private static Context context(JsonNode span) {
    if (span == null) {
      return Context.root();
    }
    SpanContext ids = SpanContext.createFromRemoteParent(
        span.get("trace_id").asText(), span.get("span_id").asText(), TraceFlags.getSampled(), TraceState.getDefault());
    return Context.root().with(Span.wrap(ids));
  }
}

package dev.preamp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.preamp.Component.ConfigurationException;
import dev.preamp.Component.Header;
import dev.preamp.Component.KeyRequest;
import dev.preamp.Component.Outcome;
import dev.preamp.Component.Request;
import dev.preamp.Component.Response;
import dev.preamp.Component.Step;
import dev.preamp.Component.Wait;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * What the tests of all sockets drive:
 *
 * <pre>
 * Conformance CONFIGURATION.json  delivers payloads, lines of {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
 * Conformance replay FILE         replays the vectors of sockets/conformance; no network is needed
 * </pre>
 */
final class Conformance {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A body of more bytes stands in the vectors as its digest. */
    private static final int BODY_MAX = 4 << 10;

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 2 && arguments[0].equals("replay")) replay(Files.readAllLines(Path.of(arguments[1])));
        else if (arguments.length == 1) deliver(Files.readString(Path.of(arguments[0])));
        else throw new IllegalArgumentException("usage: Conformance CONFIGURATION.json, or: Conformance replay FILE");
    }

    private static void deliver(String configuration) throws Exception {
        var exporter = new Exporter(configuration, Exporter.Credentials::ofEnvironment);
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            var one = JSON.readTree(line);
            var outcome = exporter.deliver(one.get("payload").binaryValue(), one.get("contentType").asText(), one.get("contentEncoding").asText());
            boolean retryAfter = outcome.headers().stream().anyMatch(header -> header.name().equals("retry-after"));
            System.out.println(((ObjectNode) shown(outcome).get("done")).put("retryAfter", retryAfter));
        }
    }

    private static void replay(List<String> lines) throws Exception {
        long began = System.nanoTime();
        new Component("{\"endpoint\": \"http://receiver.example/api/v1/write\"}");
        long loaded = System.nanoTime();
        int same = 0;
        for (var line : lines) {
            var vector = JSON.readTree(line);
            var different = replayed(vector);
            if (different == null) same++;
            else System.err.println(vector.get("name").asText() + ": " + different);
        }
        double each = (System.nanoTime() - loaded) / 1e6 / lines.size();
        System.err.printf("loaded in %d ms, then %.1f ms for each vector%n", (loaded - began) / 1_000_000, each);
        System.out.println(same + " of " + lines.size());
        if (same < lines.size()) System.exit(1);
    }

    /** Makes the calls of a vector, all for the passage that was begun last, and says what is not as expected; null for nothing. */
    private static String replayed(JsonNode vector) throws Exception {
        var problems = JSON.createArrayNode();
        Component component = null;
        try {
            component = new Component(vector.get("configuration").asText());
        } catch (ConfigurationException refused) {
            refused.problems.forEach(problem -> problems.addArray().add(problem.path()).add(problem.message()));
        }
        var different = different(vector.get("problems"), problems, "problems");
        int passage = -1;
        for (int number = 0; different == null && number < vector.get("calls").size(); number++) {
            var call = vector.get("calls").get(number);
            long at = call.path("at").asLong() * 1_000_000;
            switch (call.get("call").asText()) {
                case "pass" -> {
                    if (passage != -1) component.drop(passage);
                    passage = component.pass(call.get("payload").binaryValue(), call.get("contentType").asText(), call.get("contentEncoding").asText(), at);
                }
                case "next" -> different = different(call.get("expect"), shown(component.next(passage, at)), "call " + number);
                case "give-key" -> component.giveKey(passage, key(call.get("key")), at);
                case "answered" -> component.answered(passage, response(call), at);
                case "give-up" -> different = different(call.get("expect"), shown(component.giveUp(passage)), "call " + number);
                default -> throw new IllegalArgumentException("there is no call " + call.get("call"));
            }
        }
        return different;
    }

    private static Component.SigningKey key(JsonNode key) {
        if (key.isNull()) return null;
        var credentials = new Exporter.Credentials(key.get("accessKeyId").asText(), key.get("secretAccessKey").asText(), key.get("sessionToken").textValue());
        return Exporter.deriveKey(credentials, key.get("date").asText(), key.get("region").asText(), key.get("service").asText());
    }

    private static Response response(JsonNode call) throws IOException {
        var headers = new ArrayList<Header>();
        call.get("headers").forEach(header -> headers.add(new Header(header.get(0).asText(), header.get(1).asText())));
        return new Response(call.get("status").asInt(), headers, call.get("body").binaryValue());
    }

    /** A step as it stands in the vectors. */
    private static ObjectNode shown(Step step) throws Exception {
        var shown = JSON.createObjectNode();
        if (step instanceof Request request) {
            var send = shown.putObject("send").put("method", request.method()).put("url", request.url());
            send.set("headers", pairs(request.headers()));
            if (request.body().length <= BODY_MAX) {
                send.put("body", request.body());
            } else {
                send.put("sha256", HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(request.body())));
                send.put("length", request.body().length);
            }
        } else if (step instanceof KeyRequest wanted) {
            shown.putObject("key").put("date", wanted.date()).put("region", wanted.region()).put("service", wanted.service())
                    .put("isRefused", wanted.isRefused());
        } else if (step instanceof Wait wait) {
            shown.put("wait", wait.milliseconds());
        } else if (step instanceof Outcome outcome) {
            var done = shown.putObject("done").put("status", outcome.status()).put("body", outcome.body());
            done.set("headers", pairs(outcome.headers()));
            done.put("delivered", outcome.delivered()).put("partlyRejected", outcome.partlyRejected());
            done.put("rejected", outcome.rejected()).put("unsettled", outcome.unsettled());
            var explanations = done.putArray("explanations");
            outcome.explanations().forEach(why -> explanations.addObject().put("reason", why.reason()).put("detail", why.detail()).put("remedy", why.remedy()));
        }
        // As text and back: bytes stand there as text.
        return (ObjectNode) JSON.readTree(shown.toString());
    }

    private static ArrayNode pairs(List<Header> headers) {
        var pairs = JSON.createArrayNode();
        headers.forEach(header -> pairs.addArray().add(header.name()).add(header.value()));
        return pairs;
    }

    /** Where two values differ first, in words; null if they are equal. */
    private static String different(JsonNode expected, JsonNode said, String place) {
        if (expected.equals(said)) return null;
        var keys = new ArrayList<String>();
        expected.fieldNames().forEachRemaining(keys::add);
        for (int index = 0; expected.isArray() && index < said.size(); index++) keys.add(String.valueOf(index));
        for (var key : keys) {
            var found = different(expected.at("/" + key), said.at("/" + key), place + "/" + key);
            if (found != null) return found;
        }
        return place + ": expected " + expected + ", not " + said;
    }
}

package dev.preamp;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.preamp.Component.ConfigurationException;
import dev.preamp.Component.Header;
import dev.preamp.Component.KeyRequest;
import dev.preamp.Component.Outcome;
import dev.preamp.Component.Request;
import dev.preamp.Component.Response;
import dev.preamp.Component.SigningKey;
import dev.preamp.Component.Wait;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Delivers payloads, one after the other: does what the component wants done, and decides nothing. */
final class Exporter {
    private static final Duration TIMEOUT = Duration.ofSeconds(5);

    /** How long the pauses of one delivery may be together, in milliseconds. */
    private static final long PATIENCE = 4_000;

    /** How much of the body of an answer is looked at, in bytes. */
    private static final int ANSWER_BYTES = 1 << 10;

    /** AWS credentials. The secret never reaches the component. The session token is null but for temporary ones. */
    record Credentials(String accessKeyId, String secretAccessKey, String sessionToken) {
        /** Of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; null if they are not set. */
        static Credentials ofEnvironment() {
            String id = System.getenv("AWS_ACCESS_KEY_ID"), secret = System.getenv("AWS_SECRET_ACCESS_KEY");
            return id == null || secret == null ? null : new Credentials(id, secret, System.getenv("AWS_SESSION_TOKEN"));
        }

        @Override
        public String toString() {
            return "Credentials of " + accessKeyId;
        }
    }

    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).followRedirects(HttpClient.Redirect.NEVER).build();
    private final String configuration;
    private final Supplier<Credentials> credentials;
    private Component component;

    Exporter(String configuration, Supplier<Credentials> credentials) throws ConfigurationException {
        this.configuration = configuration;
        this.credentials = credentials;
        component = new Component(configuration);
    }

    /** Brings a payload to its end. After an exception it may be handed in again. */
    synchronized Outcome deliver(byte[] payload, String contentType, String contentEncoding)
            throws ConfigurationException, InterruptedException {
        Component taken = component == null ? new Component(configuration) : component;
        // A call that fails may leave anything in the memory of the instance.
        component = null;
        int passage = taken.pass(payload, contentType, contentEncoding, now());
        Outcome outcome = bringToItsEnd(taken, passage);
        taken.drop(passage);
        component = taken;
        return outcome;
    }

    private Outcome bringToItsEnd(Component component, int passage) throws InterruptedException {
        for (long patience = PATIENCE;;) {
            var step = component.next(passage, now());
            if (step instanceof Outcome outcome) return outcome;
            if (step instanceof Request request) component.answered(passage, send(request), now());
            if (step instanceof KeyRequest wanted) component.giveKey(passage, key(wanted), now());
            if (step instanceof Wait wait) {
                patience -= wait.milliseconds();
                if (patience < 0) return component.giveUp(passage);
                Thread.sleep(wait.milliseconds());
            }
        }
    }

    private SigningKey key(KeyRequest wanted) {
        var found = credentials.get();
        return found == null ? null : deriveKey(found, wanted.date(), wanted.region(), wanted.service());
    }

    /** Derives a signing key (AWS Signature Version 4, "Derive a signing key"). */
    static SigningKey deriveKey(Credentials of, String date, String region, String service) {
        byte[] key = ("AWS4" + of.secretAccessKey()).getBytes(UTF_8);
        try {
            for (var part : List.of(date, region, service, "aws4_request")) {
                var mac = Mac.getInstance("HmacSHA256");
                mac.init(new SecretKeySpec(key, "HmacSHA256"));
                key = mac.doFinal(part.getBytes(UTF_8));
            }
        } catch (GeneralSecurityException problem) {
            throw new IllegalStateException("every Java has HMAC-SHA256", problem);
        }
        return new SigningKey(of.accessKeyId(), of.sessionToken(), key, date, region, service);
    }

    private Response send(Request wanted) throws InterruptedException {
        var body = wanted.body().length == 0 ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofByteArray(wanted.body());
        var request = HttpRequest.newBuilder(URI.create(wanted.url())).timeout(TIMEOUT).method(wanted.method(), body);
        for (var header : wanted.headers()) {
            // The client makes the field `host` of the address, and takes it from nobody.
            if (!header.name().equals("host")) request.header(header.name(), header.value());
        }
        try {
            var answer = client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            var headers = new ArrayList<Header>();
            answer.headers().map().forEach((name, values) -> values.forEach(value -> headers.add(new Header(name.toLowerCase(), value))));
            var beginning = Arrays.copyOf(answer.body(), Math.min(answer.body().length, ANSWER_BYTES));
            return new Response(answer.statusCode(), headers, beginning);
        } catch (IOException problem) {
            return new Response(0, List.of(), String.valueOf(problem.getMessage()).getBytes(UTF_8));
        }
    }

    private static long now() {
        var now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000 + now.getNano();
    }
}

package dev.preamp;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.dylibso.chicory.compiler.InterpreterFallback;
import com.dylibso.chicory.compiler.MachineFactoryCompiler;
import com.dylibso.chicory.runtime.HostFunction;
import com.dylibso.chicory.runtime.ImportValues;
import com.dylibso.chicory.runtime.Instance;
import com.dylibso.chicory.runtime.Machine;
import com.dylibso.chicory.runtime.Memory;
import com.dylibso.chicory.wasm.Parser;
import com.dylibso.chicory.wasm.WasmModule;
import com.dylibso.chicory.wasm.types.FunctionType;
import com.dylibso.chicory.wasm.types.ValType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The component with an open exporter: the core module inside it, called by the canonical ABI. The layouts are those of
 * docs/layouts.md. One call at a time; after an exception it is of no use.
 */
final class Component {
    static final String CONTRACT = "preamp:exporter/remote-write@0.2.0";

    /** How a component begins: the magic number, and the version and layer of the binary format. */
    private static final byte[] PREAMBLE = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};

    private static final int CORE_MODULE_SECTION = 1;

    record Header(String name, String value) {}

    /** What is wrong with a configuration: a JSON Pointer, and a message for a person. */
    record Problem(String path, String message) {}

    /** What is to be done next. */
    sealed interface Step permits Request, KeyRequest, Wait, Outcome {}

    record Request(String method, String url, List<Header> headers, byte[] body) implements Step {}

    record KeyRequest(String date, String region, String service, boolean isRefused) implements Step {}

    record Wait(long milliseconds) implements Step {}

    /** The answer for the sender, and what became of the points. */
    record Outcome(int status, List<Header> headers, byte[] body, long delivered, long partlyRejected, long rejected,
            long unsettled, List<Explanation> explanations) implements Step {}

    record Explanation(String reason, String detail, String remedy) {}

    /** A signing key; the session token is null but for temporary credentials. */
    record SigningKey(String accessKeyId, String sessionToken, byte[] derived, String date, String region, String service) {}

    /** What the receiver answered; a status of 0 for no answer. */
    record Response(int status, List<Header> headers, byte[] body) {}

    /** Every problem of a configuration at once. */
    static final class ConfigurationException extends Exception {
        final transient List<Problem> problems;

        ConfigurationException(List<Problem> problems) {
            super("the configuration cannot be used: " + problems.stream()
                    .map(problem -> (problem.path() + " " + problem.message()).trim()).collect(Collectors.joining("; ")));
            this.problems = problems;
        }
    }

    /** The module as bytecode, which all instances share. */
    private record Compiled(WasmModule module, Function<Instance, Machine> machine) {
        static final Compiled ONCE = load();

        private static Compiled load() {
            try (var resource = Component.class.getResourceAsStream("preamp.wasm")) {
                if (resource == null) throw new IllegalStateException("preamp.wasm is not beside this class: build.sh puts it there");
                var module = Parser.parse(coreModule(resource.readAllBytes()));
                // A function that is too long for Java bytecode is interpreted.
                var compiler = MachineFactoryCompiler.builder(module).withInterpreterFallback(InterpreterFallback.SILENT);
                return new Compiled(module, compiler.compile());
            } catch (IOException problem) {
                throw new IllegalStateException("the component cannot be read", problem);
            }
        }
    }

    /** The core module inside a component: the first section of its kind. The others only adapt types. */
    static byte[] coreModule(byte[] component) {
        if (!Arrays.equals(PREAMBLE, Arrays.copyOf(component, PREAMBLE.length))) {
            throw new IllegalArgumentException("this is no WebAssembly component");
        }
        for (int at = PREAMBLE.length; at < component.length;) {
            int kind = component[at++];
            int size = 0;
            for (int shift = 0;; shift += 7) {
                byte next = component[at++];
                size |= (next & 0x7f) << shift;
                if (next >= 0) break;
            }
            if (kind == CORE_MODULE_SECTION) return Arrays.copyOfRange(component, at, at + size);
            at += size;
        }
        throw new IllegalArgumentException("the component holds no core module");
    }

    private final Instance instance;
    private final int exporter;

    Component(String configuration) throws ConfigurationException {
        var imports = ImportValues.builder();
        for (var resource : List.of("exporter", "passage")) {
            // The handle of a resource is its representation: whoever holds it is its owner.
            imports.addFunction(
                    new HostFunction("[export]" + CONTRACT, "[resource-new]" + resource,
                            FunctionType.of(List.of(ValType.I32), List.of(ValType.I32)), (instance, arguments) -> arguments),
                    new HostFunction("[export]" + CONTRACT, "[resource-drop]" + resource,
                            FunctionType.of(List.of(ValType.I32), List.of()), (instance, arguments) -> null));
        }
        var compiled = Compiled.ONCE;
        instance = Instance.builder(compiled.module()).withMachineFactory(compiled.machine()).withImportValues(imports.build()).build();
        var problems = new ArrayList<Problem>();
        exporter = read("[static]exporter.open", new Arguments().text(configuration), result -> {
            if (result.octet(0) == 0) return result.number(4);
            result.each(4, 16, problem -> problems.add(new Problem(problem.text(0), problem.text(8))));
            return 0;
        });
        if (!problems.isEmpty()) throw new ConfigurationException(problems);
    }

    /** Begins the passage of a payload, and returns its handle. Times are nanoseconds since 1970. */
    int pass(byte[] payload, String contentType, String contentEncoding, long now) {
        var arguments = new Arguments().number(exporter).bytes(payload).text(contentType).text(contentEncoding).number(now);
        return (int) call("[method]exporter.pass", arguments);
    }

    Step next(int passage, long now) {
        return read("[method]passage.next", new Arguments().number(passage).number(now), result -> switch (result.octet(0)) {
            case 0 -> new Request(result.text(8), result.text(16), result.headers(24), result.bytes(32));
            case 1 -> new KeyRequest(result.text(8), result.text(16), result.text(24), result.octet(32) != 0);
            case 2 -> new Wait(result.large(8));
            case 3 -> outcome(result.at(8));
            default -> throw new IllegalStateException("the component wants step " + result.octet(0) + ", which is not known here");
        });
    }

    /** The key that was asked for; null if there are no credentials now. */
    void giveKey(int passage, SigningKey key, long now) {
        var arguments = new Arguments().number(passage);
        if (key == null) {
            for (int part = 0; part < 14; part++) arguments.number(0);
        } else {
            arguments.number(1).text(key.accessKeyId());
            if (key.sessionToken() == null) arguments.number(0).number(0).number(0);
            else arguments.number(1).text(key.sessionToken());
            arguments.bytes(key.derived()).text(key.date()).text(key.region()).text(key.service());
        }
        call("[method]passage.give-key", arguments.number(now));
    }

    void answered(int passage, Response response, long now) {
        var arguments = new Arguments().number(passage).number(response.status()).headers(response.headers());
        call("[method]passage.answered", arguments.bytes(response.body()).number(now));
    }

    Outcome giveUp(int passage) {
        return read("[method]passage.give-up", new Arguments().number(passage), Component::outcome);
    }

    void drop(int passage) {
        call("[dtor]passage", new Arguments().number(passage));
    }

    private static Outcome outcome(Reader result) {
        var explanations = new ArrayList<Explanation>();
        result.each(56, 28, one -> explanations.add(new Explanation(one.text(0), one.text(8), one.text(16))));
        return new Outcome(result.small(0), result.headers(4), result.bytes(12), result.large(24), result.large(32), result.large(40),
                result.large(48), explanations);
    }

    private long call(String name, Arguments arguments) {
        var results = instance.export(CONTRACT + "#" + name).apply(arguments.values());
        return results == null || results.length == 0 ? 0 : results[0];
    }

    /** Calls a function that returns the address of a record, reads that, and has it freed. */
    private <T> T read(String name, Arguments arguments, Function<Reader, T> read) {
        long address = call(name, arguments);
        T result = read.apply(new Reader(instance.memory(), (int) address));
        instance.export("cabi_post_" + CONTRACT + "#" + name).apply(address);
        return result;
    }

    /** Collects the arguments of a call. What they point to is freed by the callee. */
    private final class Arguments {
        private final List<Long> values = new ArrayList<>();

        Arguments number(long value) {
            values.add(value);
            return this;
        }

        Arguments bytes(byte[] data) {
            return number(copied(data)).number(data.length);
        }

        Arguments text(String text) {
            return bytes(text.getBytes(UTF_8));
        }

        Arguments headers(List<Header> headers) {
            int list = allocate(headers.size() * 16, 4);
            for (int index = 0; index < headers.size(); index++) {
                var name = headers.get(index).name().getBytes(UTF_8);
                var value = headers.get(index).value().getBytes(UTF_8);
                int[] parts = {copied(name), name.length, copied(value), value.length};
                for (int part = 0; part < parts.length; part++) instance.memory().writeI32(list + index * 16 + part * 4, parts[part]);
            }
            return number(list).number(headers.size());
        }

        private int copied(byte[] data) {
            int address = allocate(data.length, 1);
            instance.memory().write(address, data);
            return address;
        }

        /** Has the instance make room. A list of nothing has an address that is only aligned. */
        private int allocate(int size, int alignment) {
            return size == 0 ? alignment : (int) instance.export("cabi_realloc").apply(0, 0, alignment, size)[0];
        }

        long[] values() {
            return values.stream().mapToLong(Long::longValue).toArray();
        }
    }

    /** Reads a record from where it stands in memory. */
    private record Reader(Memory memory, int address) {
        Reader at(int offset) {
            return new Reader(memory, address + offset);
        }

        int octet(int offset) {
            return memory.read(address + offset) & 0xff;
        }

        int small(int offset) {
            return memory.readShort(address + offset) & 0xffff;
        }

        int number(int offset) {
            return memory.readInt(address + offset);
        }

        long large(int offset) {
            return memory.readLong(address + offset);
        }

        byte[] bytes(int offset) {
            return memory.readBytes(number(offset), number(offset + 4));
        }

        String text(int offset) {
            return new String(bytes(offset), UTF_8);
        }

        void each(int offset, int size, java.util.function.Consumer<Reader> element) {
            int count = number(offset + 4);
            for (int index = 0; index < count; index++) element.accept(new Reader(memory, number(offset) + index * size));
        }

        List<Header> headers(int offset) {
            var headers = new ArrayList<Header>();
            each(offset, 16, header -> headers.add(new Header(header.text(0), header.text(8))));
            return headers;
        }
    }
}

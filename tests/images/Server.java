import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;

/** A web server whose pages do what Java programs do: exceptions from faults, children, a heap that is nearly full. */
public class Server {
    interface Page {
        String text() throws Exception;
    }

    static String text;

    /** The JVM finds null references by SIGSEGV. */
    static String exceptions() {
        int caught = 0;
        for (int i = 0; i < 100_000; i++) {
            try {
                caught -= text.length();
            } catch (NullPointerException expected) {
                caught++;
            }
        }
        return "caught " + caught;
    }

    static String child() throws Exception {
        Process child = new ProcessBuilder("sh", "-c", "read line; echo \"child of $PPID: $line\"; exit 3").start();
        try (var input = child.outputWriter()) {
            input.write("pearl\n");
        }
        String line = child.inputReader().readLine();
        String expected = "child of " + ProcessHandle.current().pid() + ": pearl";
        return line.equals(expected) + " " + child.waitFor();
    }

    /** Half of the heap stays in use while four times as much is thrown away. */
    static String heap() {
        long most = Runtime.getRuntime().maxMemory();
        // A quarter of a region: larger ones take regions of their own.
        int block = 1 << 18;
        List<byte[]> kept = new ArrayList<>();
        long wasted = 0;
        for (long made = 0; made < most / 2; made += block) {
            byte[] one = new byte[block];
            one[block - 1] = (byte) kept.size();
            kept.add(one);
            for (int i = 0; i < 4; i++) wasted += new byte[block].length;
        }
        for (int i = 0; i < kept.size(); i++) {
            if (kept.get(i)[block - 1] != (byte) i) return "wrong bytes";
        }
        return "kept " + kept.size() + " of " + most / block + " blocks";
    }

    static String interfaces() throws Exception {
        NetworkInterface loopback = NetworkInterface.getByInetAddress(InetAddress.getByName("127.0.0.1"));
        boolean isListed = NetworkInterface.networkInterfaces().anyMatch(loopback::equals);
        return loopback.getName() + " " + loopback.isUp() + " " + isListed;
    }

    static void serve(HttpServer server, String path, Page page) {
        server.createContext(path, (HttpExchange exchange) -> {
            byte[] body;
            try {
                body = (page.text() + "\n").getBytes();
            } catch (Throwable error) {
                exchange.sendResponseHeaders(500, -1);
                throw new IOException(error);
            }
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
    }

    public static void main(String[] args) throws Exception {
        var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0]));
        HttpServer server = HttpServer.create(address, 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        serve(server, "/", () -> "An oyster lays nacre around what it encloses.");
        serve(server, "/exceptions", Server::exceptions);
        serve(server, "/child", Server::child);
        serve(server, "/heap", Server::heap);
        serve(server, "/interfaces", Server::interfaces);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("the end")));
        server.start();
    }
}

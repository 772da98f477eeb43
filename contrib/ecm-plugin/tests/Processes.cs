// SPDX-License-Identifier: Apache-2.0
// The programs of the end-to-end tests: jumpgate, passwordsafe-sim, and the hosts of the plug-in. Each is started with
// what the test wants, read line by line, and ended by its own process id.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Reflection;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Jumpgate.EcmPlugin.Tests;

/// <summary>A test that needs the built gateway: JG_BIN_DIR names the folder of `jumpgate` and `passwordsafe-sim`.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GatewayTheoryAttribute : TheoryAttribute
{
    public GatewayTheoryAttribute()
    {
        if (!File.Exists(Path.Combine(Program.Folder, "jumpgate")))
        {
            Skip = "JG_BIN_DIR names no folder with jumpgate and passwordsafe-sim";
        }
    }
}

/// <summary>A running program; its lines of both streams are kept.</summary>
internal class Program : IDisposable
{
    internal static readonly string Folder = Environment.GetEnvironmentVariable("JG_BIN_DIR") is { Length: > 0 } folder ? folder : "/nowhere";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly BlockingCollection<string> output = [];
    private readonly ConcurrentQueue<string> everything = new();

    internal Program(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[key] = value;
        }
        Process = new Process { StartInfo = start };
        Process.OutputDataReceived += (_, line) => Take(line.Data, output);
        Process.ErrorDataReceived += (_, line) => Take(line.Data, null);
        Process.Start();
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();
    }

    internal Process Process { get; }

    /// <summary>Everything the program has written so far.</summary>
    internal string Text => string.Join('\n', everything);

    internal static string Dotnet => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH")
        ?? (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet");

    internal static string Metadata(string key) =>
        Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().Single(one => one.Key == key).Value!;

    /// <summary>The next line of standard output for which the condition holds.</summary>
    internal string Line(Func<string, bool> wanted)
    {
        var limit = Stopwatch.StartNew();
        while (limit.Elapsed < Patience)
        {
            if (output.TryTake(out var line, 100) && wanted(line))
            {
                return line;
            }
            if (Process.HasExited && output.Count == 0)
            {
                break;
            }
        }
        throw new InvalidOperationException($"{Process.StartInfo.FileName} did not write what was waited for:\n{Text}");
    }

    internal void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", Process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    /// <summary>Waits for the end; the exit code.</summary>
    internal int Ended()
    {
        Assert.True(Process.WaitForExit(Patience), $"{Process.StartInfo.FileName} did not end");
        Process.WaitForExit();
        return Process.ExitCode;
    }

    public virtual void Dispose()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
            Process.WaitForExit();
        }
        Process.Dispose();
        output.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Asks until the answer is true; fails after a while.</summary>
    internal static Task EventuallyAsync(Func<Task<bool>> question, string what) => EventuallyAsync(question, () => what);

    internal static async Task EventuallyAsync(Func<Task<bool>> question, Func<string> what)
    {
        var limit = Stopwatch.StartNew();
        while (!await question())
        {
            Assert.True(limit.Elapsed < Patience, limit.Elapsed < Patience ? "" : what());
            await Task.Delay(50);
        }
    }

    private void Take(string? line, BlockingCollection<string>? also)
    {
        if (line is null)
        {
            return;
        }
        everything.Enqueue(line);
        try
        {
            also?.Add(line);
        }
        catch (ObjectDisposedException)
        {
            // The test has ended.
        }
    }
}

/// <summary>passwordsafe-sim with the data of the worked sequences, over TLS.</summary>
internal sealed class Vault : Program
{
    internal const string ApiKey = "K1example0key000K1example0key000K1example0key000K1example0key000K1example0key000K1example0key000K1example0key000K1example0key000";
    internal const string Password = "Tr0ut\\lamp\"42&co";

    private readonly HttpClient admin;

    internal Vault(Pki pki)
        : base(Path.Combine(Folder, "passwordsafe-sim"), ["--fixture", "worked", "--api-key", ApiKey, "--certificate", pki.ServerPem, "--key", pki.ServerKey])
    {
        Url = "https://localhost:" + PortOf(Line(line => line.Contains("listener=api", StringComparison.Ordinal))) + "/BeyondTrust/api/public/v3";
        admin = new() { BaseAddress = new("http://127.0.0.1:" + PortOf(Line(line => line.Contains("listener=admin", StringComparison.Ordinal)))) };
        Line(line => line == "ready");
    }

    internal string Url { get; }

    internal async Task LatencyAsync(int milliseconds)
    {
        using var answer = await admin.PostAsJsonAsync("/latency", new { latency_ms = milliseconds, jitter_ms = 0 });
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>How many requests are live at the vault.</summary>
    internal async Task<int> LiveAsync()
    {
        var state = await admin.GetFromJsonAsync<JsonElement>("/state");
        return state.GetProperty("active").GetArrayLength() + state.GetProperty("pending").GetArrayLength();
    }

    internal async Task ChangeAccountAsync(object account)
    {
        using var answer = await admin.PostAsJsonAsync("/accounts", account);
        answer.EnsureSuccessStatusCode();
    }

    internal static string PortOf(string line) => line[(line.LastIndexOf(':') + 1)..].Split(' ')[0];

    public override void Dispose()
    {
        admin.Dispose();
        base.Dispose();
    }
}

/// <summary>A private authority, the server certificate of gateway and vault, and the client certificate of the plug-in.</summary>
internal sealed class Pki : IDisposable
{
    internal const string ClientName = "ecm.example.test";
    internal const string ClientPassword = "p12-passw0rd";

    internal Pki(Folder folder)
    {
        Authority = new("jumpgate end-to-end authority");
        Server = Authority.Make("localhost", IPAddress.Loopback);
        using var client = Authority.Make(ClientName);
        CaFile = folder.File("ca.pem", Authority.Pem);
        ServerPem = folder.File("server.pem", Server.ExportCertificatePem());
        using var key = Server.GetECDsaPrivateKey()!;
        ServerKey = folder.File("server.key", key.ExportPkcs8PrivateKeyPem());
        ClientFile = folder.File("client.p12", client.Export(X509ContentType.Pkcs12, ClientPassword));
        ClientPasswordFile = folder.File("client.pw", ClientPassword + "\n");
    }

    internal Authority Authority { get; }

    internal X509Certificate2 Server { get; }

    internal string CaFile { get; }

    internal string ServerPem { get; }

    internal string ServerKey { get; }

    internal string ClientFile { get; }

    internal string ClientPasswordFile { get; }

    public void Dispose()
    {
        Authority.Dispose();
        Server.Dispose();
    }
}

/// <summary>jumpgate before a vault, over TLS; it can be ended and started again on the same port and state.</summary>
internal sealed class Gateway : IDisposable
{
    internal const string Token = "token-of-the-end-to-end-test";

    private readonly Folder folder;
    private readonly Pki pki;
    private readonly Vault vault;
    private readonly bool clientCertificate;
    private readonly StringBuilder earlier = new();
    private string port = "0";

    internal Gateway(Folder folder, Pki pki, Vault vault, bool clientCertificate)
    {
        (this.folder, this.pki, this.vault, this.clientCertificate) = (folder, pki, vault, clientCertificate);
        Directory.CreateDirectory(Path.Combine(folder.Path, "state"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        folder.File("api.key", Vault.ApiKey);
        Program = Start();
    }

    internal Program Program { get; private set; }

    internal string Url => "https://127.0.0.1:" + port;

    internal string Text => earlier + Program.Text;

    /// <summary>How many leases the gateway has, by its control socket.</summary>
    internal async Task<int> LeasesAsync()
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(folder.Path, "state", "control.sock")), stop);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        var answer = await client.GetFromJsonAsync<JsonElement>("http://localhost/v1/leases");
        return answer.GetProperty("leases").GetArrayLength();
    }

    internal void Restart()
    {
        earlier.AppendLine(Program.Text);
        Program.Dispose();
        Program = Start();
    }

    public void Dispose() => Program.Dispose();

    private Program Start()
    {
        var configuration = folder.File("jumpgate.conf", $"""
            [gateway]
            state_dir = {folder.Path}/state
            list_cache = 0s
            [listener main]
            address = 127.0.0.1:{port}
            tls_certificate = {pki.ServerPem}
            tls_key = {pki.ServerKey}
            {(clientCertificate ? "client_ca = " + pki.CaFile : "")}
            [client ecm]
            token_sha256 = {Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(Token))).ToLowerInvariant()}
            {(clientCertificate ? "certificate_san = DNS:" + Pki.ClientName : "")}
            allow = broker
            [vault main]
            type = password_safe
            url = {vault.Url}
            api_key_file = {folder.Path}/api.key
            ca_file = {pki.CaFile}

            """);
        var made = new Program(Path.Combine(Program.Folder, "jumpgate"), ["run", "-c", configuration]);
        made.Line(line => line == "ready");
        if (port == "0")
        {
            // Written to standard error before `ready`; the two streams are read by two threads.
            var limit = Stopwatch.StartNew();
            while (!made.Text.Contains("listening listener=main", StringComparison.Ordinal))
            {
                Assert.True(limit.Elapsed < TimeSpan.FromSeconds(60), made.Text);
                Thread.Sleep(10);
            }
            port = Vault.PortOf(made.Text.Split('\n').First(line => line.Contains("listening listener=main", StringComparison.Ordinal)));
        }
        return made;
    }
}

/// <summary>The test host as a process of its own: the plug-in in it is asked line by line.</summary>
internal sealed class TestHostProcess : Program
{
    internal TestHostProcess(string url, Pki pki, bool clientCertificate, Action<Dictionary<string, string>>? change = null, string token = Gateway.Token, string? program = null)
        : base(Dotnet, [program ?? Path.Combine(AppContext.BaseDirectory, "Jumpgate.EcmPlugin.TestHost.dll")], Environment(url, pki, clientCertificate, change, token))
    {
    }

    /// <summary>The settings of a plug-in that should work.</summary>
    internal static Dictionary<string, string> Environment(
        string url, Pki pki, bool clientCertificate, Action<Dictionary<string, string>>? change, string token)
    {
        var tokenFile = Path.Combine(Path.GetDirectoryName(pki.CaFile)!, "token-" + Guid.NewGuid().ToString("N"));
        File.WriteAllText(tokenFile, token);
        var made = new Dictionary<string, string>
        {
            ["Jumpgate__Url"] = url,
            ["Jumpgate__TokenFile"] = tokenFile,
            ["Jumpgate__CaFile"] = pki.CaFile,
            ["Jumpgate__LogLevel"] = "debug",
            // A loaded machine must not fail a test that is not about time.
            ["Jumpgate__FindTimeoutMs"] = "30000",
            ["Jumpgate__CheckoutTimeoutMs"] = "30000",
            ["Jumpgate__OtherTimeoutMs"] = "30000",
        };
        if (clientCertificate)
        {
            made["Jumpgate__ClientCertificateFile"] = pki.ClientFile;
            made["Jumpgate__ClientCertificatePasswordFile"] = pki.ClientPasswordFile;
        }
        change?.Invoke(made);
        return made;
    }

    /// <summary>Sends lines; the answers in the order of the lines.</summary>
    internal async Task<JsonElement[]> AskAsync(params object[] lines)
    {
        for (var i = 0; i < lines.Length; i++)
        {
            var line = JsonSerializer.SerializeToNode(lines[i])!;
            line["id"] = i;
            await Process.StandardInput.WriteLineAsync(line.ToJsonString());
        }
        await Process.StandardInput.FlushAsync();
        var answers = lines.Select(_ => JsonSerializer.Deserialize<JsonElement>(Line(line => line.StartsWith('{')))).ToArray();
        return [.. answers.OrderBy(answer => answer.GetProperty("id").GetInt32())];
    }

    /// <summary>One operation on one session.</summary>
    internal async Task<JsonElement> AskAsync(string operation, object? session, string? credentialId = null) =>
        (await AskAsync(new { operation, arguments = new { session, credential_id = credentialId } }))[0];

    /// <summary>Closes the input and waits for an ordered end.</summary>
    internal void Finish()
    {
        Process.StandardInput.Close();
        Assert.Equal(0, Ended());
    }
}

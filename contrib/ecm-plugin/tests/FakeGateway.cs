// SPDX-License-Identifier: Apache-2.0
// A small gateway in the process of the test: real sockets, TLS where it is given a certificate, and answers that a test
// chooses byte for byte. It records every request it has read.

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Jumpgate.EcmPlugin.Tests;

/// <summary>One request as it came.</summary>
internal sealed record Request(string Method, string Path, Dictionary<string, string> Headers, string Body);

/// <summary>What a request is answered with.</summary>
/// <param name="Bytes">Sent as they are.</param>
/// <param name="Close">Whether the connection is closed then.</param>
/// <param name="Hang">Whether nothing more happens on the connection until it is closed by the other side.</param>
internal sealed record Reply(byte[] Bytes, bool Close = false, bool Hang = false)
{
    internal static readonly Reply Nothing = new([], Close: true);

    internal static readonly Reply Silence = new([], Hang: true);

    internal static Reply Json(string body, int status = 200, string type = "application/json") => Raw(body, status, type);

    internal static Reply Problem(int status, string code, string detail) =>
        Raw($$"""{"type":"urn:jumpgate:error:{{code}}","title":"t","status":{{status}},"detail":"{{detail}}","code":"{{code}}","request_id":"x"}""",
            status, "application/problem+json");

    internal static Reply NoContent() => new(Encoding.UTF8.GetBytes("HTTP/1.1 204 No Content\r\n\r\n"));

    /// <summary>Only the first <paramref name="share"/> bytes of the body, then the end of the connection.</summary>
    internal static Reply Cut(string body, int share)
    {
        var whole = Raw(body, 200, "application/json").Bytes;
        return new(whole[..^(Encoding.UTF8.GetByteCount(body) - share)], Close: true);
    }

    internal static Reply Text(string bytes, bool close = true) => new(Encoding.UTF8.GetBytes(bytes), close);

    private static Reply Raw(string body, int status, string type) => new(Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"HTTP/1.1 {status} X\r\nContent-Type: {type}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nX-Request-Id: x\r\n\r\n{body}")));
}

internal sealed class FakeGateway : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly X509Certificate2? certificate;
    private readonly Func<Request, Reply> answer;
    private readonly ConcurrentBag<TcpClient> clients = [];
    private readonly SemaphoreSlim hungUp = new(0);
    private int connections;

    /// <param name="answer">Chooses the reply; called for each request, at any time on any thread.</param>
    /// <param name="certificate">With it the gateway uses TLS.</param>
    internal FakeGateway(Func<Request, Reply> answer, X509Certificate2? certificate = null)
    {
        this.answer = answer;
        this.certificate = certificate;
        listener.Start(1024);
        _ = AcceptAsync();
    }

    internal ConcurrentQueue<Request> Requests { get; } = new();

    internal int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Connections accepted so far.</summary>
    internal int Connections => Volatile.Read(ref connections);

    internal string Url(string host = "127.0.0.1") => $"{(certificate is null ? "http" : "https")}://{host}:{Port}";

    /// <summary>Waits until the other side has closed a connection on which it got no answer.</summary>
    internal Task<bool> SawHangUpAsync() => hungUp.WaitAsync(TimeSpan.FromSeconds(20));

    public void Dispose()
    {
        listener.Stop();
        foreach (var client in clients)
        {
            client.Dispose();
        }
        hungUp.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync();
                Interlocked.Increment(ref connections);
                clients.Add(client);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The listener was stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                Stream stream = client.GetStream();
                if (certificate is not null)
                {
                    var tls = new SslStream(stream);
                    await tls.AuthenticateAsServerAsync(certificate);
                    stream = tls;
                }
                using var reader = new BufferedStream(stream);
                while (await ReadAsync(reader) is { } request)
                {
                    Requests.Enqueue(request);
                    var reply = answer(request);
                    await stream.WriteAsync(reply.Bytes);
                    await stream.FlushAsync();
                    if (reply.Hang)
                    {
                        var rest = await stream.ReadAsync(new byte[1]);
                        if (rest == 0)
                        {
                            hungUp.Release();
                        }
                        return;
                    }
                    if (reply.Close)
                    {
                        return;
                    }
                }
            }
        }
        catch (IOException)
        {
            ReleaseQuietly();
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or ObjectDisposedException or SocketException)
        {
            // The other side does not want this connection, or the test has ended.
        }
    }

    private void ReleaseQuietly()
    {
        try
        {
            hungUp.Release();
        }
        catch (ObjectDisposedException)
        {
            // The test has ended.
        }
    }

    private static async Task<Request?> ReadAsync(Stream stream)
    {
        var head = await LineAsync(stream);
        if (head is null)
        {
            return null;
        }
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await LineAsync(stream) is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            headers[line[..colon]] = line[(colon + 1)..].Trim();
        }
        var length = headers.TryGetValue("Content-Length", out var text) ? int.Parse(text, CultureInfo.InvariantCulture) : 0;
        var body = new byte[length];
        await stream.ReadExactlyAsync(body);
        var words = head.Split(' ');
        return new(words[0], words[1], headers, Encoding.UTF8.GetString(body));
    }

    private static async Task<string?> LineAsync(Stream stream)
    {
        var made = new List<byte>();
        var one = new byte[1];
        while (await stream.ReadAsync(one) == 1)
        {
            if (one[0] == '\n')
            {
                return Encoding.ASCII.GetString([.. made]).TrimEnd('\r');
            }
            made.Add(one[0]);
        }
        return null;
    }
}

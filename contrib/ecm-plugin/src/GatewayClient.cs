// SPDX-License-Identifier: Apache-2.0
// Calls to the gateway. One call is one request with a deadline of its own; the answer is the documented status with a
// complete, valid body, or a GatewayFailure with a text. When the deadline passes, the connection of the call is closed:
// the gateway then undoes a check-out that it could not answer.
//
// A connection that breaks before any byte of an answer is tried once more, for calls that have the same effect when they
// are done twice. The HTTP handler repeats a request on its own while nothing of a body is sent; every request therefore
// has a body, if an empty one, and only this file repeats.
//
// After a 401, and after a failure of TLS, the files of the credentials are read again. If they have changed, the call
// is repeated with what they hold now; a refused call has had no effect.
//
// Not here: what the calls mean (JumpgatePlugin.cs).

using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Jumpgate.EcmPlugin;

/// <summary>A call has failed. The message is for the operator: code, detail, request id; never a secret.</summary>
internal sealed class GatewayFailure(string code, string detail, string requestId)
    : Exception($"jumpgate: {code}: {detail} (request {requestId})")
{
    internal string Code { get; } = code;
}

/// <summary>One call: what is sent, and how long it may take.</summary>
/// <param name="Path">Path of the API.</param>
/// <param name="Body">JSON to post; null: a GET.</param>
/// <param name="DeadlineMs">Milliseconds from the call to its failure.</param>
/// <param name="MayRepeat">Whether it is sent again after a connection broke without an answer.</param>
/// <param name="Status">The status of a success.</param>
/// <param name="OtherStatus">A second status whose body is the same, or 0.</param>
internal sealed record GatewayCall(
    string Path, byte[]? Body, int DeadlineMs, bool MayRepeat, HttpStatusCode Status = HttpStatusCode.OK,
    HttpStatusCode OtherStatus = 0);

internal sealed class GatewayClient : IDisposable
{
    // The gateway answers this much before the caller's deadline.
    private const int HeadStartMs = 250;
    private const int LargestAnswer = 16 * 1024 * 1024;
    private const int LargestProblem = 64 * 1024;
    private static readonly TimeSpan ConnectionAge = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(60);

    private readonly PluginConfiguration configuration;
    private readonly PluginLog log;
    private readonly object reloading = new();
    private volatile Connections current;
    private volatile bool disposed;

    /// <exception cref="PluginConfigurationException">A file of the credentials is no longer as it must be.</exception>
    internal GatewayClient(PluginConfiguration configuration, PluginLog log)
    {
        this.configuration = configuration;
        this.log = log;
        var mistakes = new List<string>();
        var credentials = GatewayCredentials.Load(configuration, mistakes) ?? throw new PluginConfigurationException(mistakes);
        current = new(configuration, credentials);
    }

    internal static string NewRequestId() => "ecm-" + Guid.NewGuid().ToString("N");

    /// <summary>Does the call and reads its answer.</summary>
    /// <exception cref="GatewayFailure">The call has failed, for whatever cause.</exception>
    internal Task<T> AskAsync<T>(GatewayCall call, JsonTypeInfo<T> type, string requestId)
        where T : class, IAnswer =>
        RunAsync(call, requestId, bytes => Parse(bytes, type, requestId));

    /// <summary>Does a call whose success has no body.</summary>
    /// <exception cref="GatewayFailure">The call has failed, for whatever cause.</exception>
    internal Task TellAsync(GatewayCall call, string requestId) =>
        RunAsync(call, requestId, bytes => bytes.Length == 0
            ? true
            : throw new GatewayFailure("invalid_answer", "an answer without body has one", requestId));

    public void Dispose()
    {
        disposed = true;
        current.Dispose();
    }

    private static T Parse<T>(ReadOnlySpan<byte> bytes, JsonTypeInfo<T> type, string requestId)
        where T : class, IAnswer
    {
        T? made;
        try
        {
            made = JsonSerializer.Deserialize(bytes, type);
        }
        catch (JsonException)
        {
            // The exception's text may hold a piece of the body.
            throw new GatewayFailure("invalid_answer", "the body is not the JSON of this operation", requestId);
        }
        var missing = made is null ? "object" : made.Missing();
        return missing is null ? made! : throw new GatewayFailure("invalid_answer", $"the body has no valid {missing}", requestId);
    }

    private delegate T BodyReader<out T>(ReadOnlySpan<byte> body);

    private async Task<T> RunAsync<T>(GatewayCall call, string requestId, BodyReader<T> read)
    {
        using var deadline = new CancellationTokenSource(call.DeadlineMs);
        var began = Environment.TickCount64;
        var repeated = false;
        var reloaded = false;
        while (true)
        {
            var connections = current;
            var attempt = new Attempt();
            Attempt.Current.Value = attempt;
            try
            {
                var left = repeated || reloaded ? call.DeadlineMs - (int)(Environment.TickCount64 - began) : call.DeadlineMs;
                using var request = MakeRequest(call, connections, requestId, left);
                using var answer = await connections.Http.SendAsync(request, deadline.Token).ConfigureAwait(false);
                if (answer.StatusCode == HttpStatusCode.Unauthorized && !reloaded)
                {
                    reloaded = true;
                    if (Reload(connections))
                    {
                        continue;
                    }
                }
                return await ReadAsync(call, answer, requestId, read, connections, deadline.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                throw disposed && !deadline.IsCancellationRequested
                    ? new GatewayFailure("stopped", "the plug-in is stopping", requestId)
                    : new GatewayFailure("deadline_exceeded", $"no answer within {call.DeadlineMs} ms", requestId);
            }
            catch (ObjectDisposedException)
            {
                throw new GatewayFailure("stopped", "the plug-in is stopping", requestId);
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                if (deadline.IsCancellationRequested)
                {
                    throw new GatewayFailure("deadline_exceeded", $"no answer within {call.DeadlineMs} ms", requestId);
                }
                var untrusted = Cause<AuthenticationException>(e);
                if (untrusted is not null && !reloaded)
                {
                    reloaded = true;
                    if (Reload(connections))
                    {
                        continue;
                    }
                }
                if (call.MayRepeat && !repeated && !attempt.Answered && Broke(e) && untrusted is null)
                {
                    repeated = true;
                    log.Debug($"request_id={requestId} path={call.Path}: the connection broke without an answer, trying once more");
                    continue;
                }
                throw Failure(e, untrusted, attempt, requestId);
            }
        }
    }

    private HttpRequestMessage MakeRequest(GatewayCall call, Connections connections, string requestId, int left)
    {
        var request = new HttpRequestMessage(call.Body is null ? HttpMethod.Get : HttpMethod.Post, new Uri(configuration.Url, call.Path))
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(call.Body ?? []),
        };
        if (call.Body is not null)
        {
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }
        request.Headers.Accept.ParseAdd("application/json, application/problem+json");
        request.Headers.Add("X-Request-Id", requestId);
        var ask = Math.Max(left - HeadStartMs, 1);
        request.Headers.Add("X-Request-Timeout-Ms", ask.ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (connections.Credentials.Token is { } token)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
        return request;
    }

    private static async Task<T> ReadAsync<T>(
        GatewayCall call, HttpResponseMessage answer, string requestId, BodyReader<T> read, Connections connections,
        CancellationToken stop)
    {
        var kind = answer.Content.Headers.ContentType?.MediaType;
        var success = answer.StatusCode == call.Status || answer.StatusCode == call.OtherStatus;
        if (success && (kind == "application/json" || (call.Status == HttpStatusCode.NoContent && kind is null)))
        {
            var body = await BodyAsync(answer, LargestAnswer, requestId, stop).ConfigureAwait(false);
            try
            {
                return read(body);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(body);
            }
        }
        if (kind == "application/problem+json" && (int)answer.StatusCode >= 400)
        {
            throw Problem(await BodyAsync(answer, LargestProblem, requestId, stop).ConfigureAwait(false), answer, requestId, connections);
        }
        throw new GatewayFailure(
            "invalid_answer",
            $"status {(int)answer.StatusCode} with content type {PluginLog.Value(kind)}: not an answer of the gateway's API; see what answers at Url",
            requestId);
    }

    private static async Task<byte[]> BodyAsync(HttpResponseMessage answer, int limit, string requestId, CancellationToken stop)
    {
        if (answer.Content.Headers.ContentLength > limit)
        {
            throw new GatewayFailure("invalid_answer", $"the body is over {limit} bytes", requestId);
        }
        var stream = await answer.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var buffer = new byte[answer.Content.Headers.ContentLength ?? 4096];
            var used = 0;
            while (true)
            {
                if (used == buffer.Length)
                {
                    if (used >= limit)
                    {
                        throw new GatewayFailure("invalid_answer", $"the body is over {limit} bytes", requestId);
                    }
                    // A body that may hold a secret leaves no copy behind.
                    var larger = new byte[Math.Min(Math.Max(used * 2, 64), limit)];
                    buffer.AsSpan(0, used).CopyTo(larger);
                    CryptographicOperations.ZeroMemory(buffer);
                    buffer = larger;
                }
                var count = await stream.ReadAsync(buffer.AsMemory(used), stop).ConfigureAwait(false);
                if (count == 0)
                {
                    break;
                }
                used += count;
            }
            var exact = buffer.AsSpan(0, used).ToArray();
            CryptographicOperations.ZeroMemory(buffer);
            return exact;
        }
    }

    private static GatewayFailure Problem(byte[] body, HttpResponseMessage answer, string requestId, Connections connections)
    {
        ProblemAnswer? problem = null;
        try
        {
            problem = JsonSerializer.Deserialize(body, GatewayJson.Default.ProblemAnswer);
        }
        catch (JsonException)
        {
            // Said below.
        }
        if (string.IsNullOrEmpty(problem?.Code))
        {
            return new("invalid_answer", $"status {(int)answer.StatusCode} with a problem that has no code", requestId);
        }
        return new(Safe(problem.Code, 64), Safe(problem.Detail ?? $"status {(int)answer.StatusCode}", 600), requestId);

        string Safe(string text, int limit)
        {
            text = PluginLog.OneLine(text, limit);
            return connections.Credentials.Token is { } token ? text.Replace(token, "***", StringComparison.Ordinal) : text;
        }
    }

    /// <summary>Whether the connection was there and then broke, as against one that was never made.</summary>
    private static bool Broke(Exception e) =>
        e is not HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError };

    private static T? Cause<T>(Exception? e)
        where T : Exception
    {
        for (; e is not null; e = e.InnerException)
        {
            if (e is T found)
            {
                return found;
            }
        }
        return null;
    }

    private static GatewayFailure Failure(Exception e, AuthenticationException? untrusted, Attempt attempt, string requestId)
    {
        var kind = (e as HttpRequestException)?.HttpRequestError ?? (e as HttpIOException)?.HttpRequestError;
        if (untrusted is not null)
        {
            return new("gateway_untrusted", $"TLS with the gateway failed: {PluginLog.OneLine(untrusted.Message, 300)}", requestId);
        }
        return kind switch
        {
            HttpRequestError.NameResolutionError => new("gateway_unreachable", "the host name of Url is not known", requestId),
            HttpRequestError.ConnectionError => new("gateway_unreachable", "no connection: " + Socket(e), requestId),
            HttpRequestError.SecureConnectionError => new("gateway_untrusted", "TLS with the gateway failed: " + Socket(e), requestId),
            HttpRequestError.InvalidResponse => new("invalid_answer", "the answer is not HTTP", requestId),
            HttpRequestError.ConfigurationLimitExceeded => new("invalid_answer", "the head of the answer is too long", requestId),
            _ => new("connection_lost",
                attempt.Answered ? "the connection broke within the answer" : "the connection broke before an answer", requestId),
        };
    }

    private static string Socket(Exception e) =>
        Cause<System.Net.Sockets.SocketException>(e) is { } cause ? cause.SocketErrorCode.ToString() : "the connection was closed";

    /// <summary>Reads the files again; whether calls from now on go with something else than <paramref name="used"/>.</summary>
    private bool Reload(Connections used)
    {
        lock (reloading)
        {
            if (disposed)
            {
                return false;
            }
            if (!ReferenceEquals(used, current))
            {
                return true;
            }
            var mistakes = new List<string>();
            var credentials = GatewayCredentials.Load(configuration, mistakes);
            if (credentials is null)
            {
                log.Warn("credentials not read again: " + string.Join("; ", mistakes));
                return false;
            }
            if (credentials.SameAs(used.Credentials))
            {
                credentials.Dispose();
                return false;
            }
            log.Info("credentials read again: they have changed");
            // Calls in flight keep the connections they have; those end when they are idle.
            current = new(configuration, credentials);
            return true;
        }
    }

    /// <summary>Credentials and the connections that were made with them.</summary>
    private sealed class Connections : IDisposable
    {
        private readonly SocketsHttpHandler handler;

        internal Connections(PluginConfiguration configuration, GatewayCredentials credentials)
        {
            Credentials = credentials;
            handler = new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseProxy = false,
                UseCookies = false,
                AutomaticDecompression = DecompressionMethods.None,
                MaxConnectionsPerServer = configuration.MaxConnections,
                PooledConnectionLifetime = ConnectionAge,
                PooledConnectionIdleTimeout = IdleTime,
                ConnectTimeout = TimeSpan.FromMilliseconds(
                    Math.Max(configuration.OtherTimeoutMs, Math.Max(configuration.CheckoutTimeoutMs, configuration.FindTimeoutMs))),
                MaxResponseHeadersLength = 32,
                ActivityHeadersPropagator = null,
                PlaintextStreamFilter = (context, _) => ValueTask.FromResult<Stream>(new WatchedStream(context.PlaintextStream)),
            };
            if (configuration.Url.Scheme == "https")
            {
                handler.SslOptions = credentials.TlsOptions(configuration.Revocation);
            }
            Http = new HttpMessageInvoker(handler, disposeHandler: true);
        }

        internal GatewayCredentials Credentials { get; }

        internal HttpMessageInvoker Http { get; }

        public void Dispose()
        {
            Http.Dispose();
            handler.Dispose();
            Credentials.Dispose();
        }
    }
}

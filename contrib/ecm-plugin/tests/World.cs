// SPDX-License-Identifier: Apache-2.0
// What a test of the plug-in alone needs: a plug-in with its configuration and log, and sessions of a type with all
// members (TestTypes.cs of the test host).

using System.Collections.Concurrent;
using System.Text.Json;
using BeyondTrust.Integration.ECM.SDK.Model;
using Jumpgate.EcmPlugin.TestHost;

namespace Jumpgate.EcmPlugin.Tests;

internal sealed class World : IDisposable
{
    internal const string Token = "token-of-the-ecm-0123456789";
    internal const string Password = "Tr0ut\\lamp\"42&co";

    /// <param name="url">The gateway.</param>
    /// <param name="configure">Changes keys; null takes a key out.</param>
    /// <param name="sessionType">Type of the sessions that come.</param>
    internal World(string url, Action<Dictionary<string, string?>, Folder>? configure = null, Type? sessionType = null, Type? endpointType = null)
    {
        TokenFile = Folder.File("token", Token + "\n");
        var keys = new Dictionary<string, string?> { ["Url"] = url, ["TokenFile"] = TokenFile, ["LogLevel"] = "debug" };
        configure?.Invoke(keys, Folder);
        var configuration = PluginConfiguration.Read(keys);
        Sdk = new SdkAdapter(configuration.MemberMap, sessionType ?? typeof(TestSession), endpointType ?? typeof(TestEndpoint));
        Plugin = new JumpgatePlugin(configuration, (level, line) => Log.Enqueue($"{level} {line}"), Sdk);
    }

    internal Folder Folder { get; } = new();

    internal string TokenFile { get; }

    internal SdkAdapter Sdk { get; }

    internal JumpgatePlugin Plugin { get; }

    internal ConcurrentQueue<string> Log { get; } = new();

    internal static TestSession Session(string id = "S-1") => new()
    {
        SessionKey = id,
        SRAUser = new() { Username = "ann", Domain = "CORP" },
        JumpItem = new() { ComputerName = "web01" },
    };

    internal static JsonElement Json(Request request)
    {
        using var document = JsonDocument.Parse(request.Body);
        return document.RootElement.Clone();
    }

    internal static (bool Success, object? Value, string Error) Outcome(object result)
    {
        var made = new SdkAdapter(MemberMap.Empty).Outcome(result);
        return (made.Success, made.Value, made.Error ?? "");
    }

    /// <summary>All nine operations on a plug-in, by the name in the log.</summary>
    internal static readonly Dictionary<string, Func<JumpgatePlugin, Task<object>>> Operations = new()
    {
        ["capabilities"] = async plugin => await plugin.GetPluginCapabilitiesAsync(),
        ["health"] = async plugin => await plugin.PerformHealthCheckAsync(),
        ["find_credentials"] = async plugin => await plugin.FindCredentialsForSessionAsync(Session()),
        ["checkout"] = async plugin => await plugin.GetCredentialForInjectionAsync(Session(), "c1"),
        ["release"] = async plugin => await plugin.ReleaseCredentialFromSessionAsync(Session(), "c1", 1_700_000_000),
        ["find_endpoints"] = async plugin => await plugin.FindAvailableEndpointsAsync(Session(), [], "web", null),
        ["start_session"] = async plugin => await plugin.StartSessionAsync(Session(), "c1"),
        ["session_started"] = async plugin => await plugin.SessionStartedAsync(Session(), "https://pra.example.test/h", 60),
        ["session_complete"] = async plugin => await plugin.SessionCompleteAsync(Session()),
    };

    public static TheoryData<string> OperationNames => [.. Operations.Keys];

    /// <summary>What the gateway's API answers to each path.</summary>
    internal static Reply Good(Request request) => request.Path switch
    {
        "/v1/capabilities" => Reply.Json(
            """{"name":"jumpgate","description":"d","version":"1","capabilities":{"credentials_used":true,"endpoint_search":true,"health_check":true,"session_complete":true,"session_started":true,"start_session":false}}"""),
        "/v1/health" => Reply.Json("""{"healthy":true,"checks":[{"name":"vault:main","ok":true,"detail":"","last_success_age_ms":3}]}"""),
        "/v1/credentials/find" => Reply.Json(
            """{"credentials":[{"credential_id":"c1","display_value":"root (web01)","kind":"local","new":[1]},{"credential_id":"c2","display_value":""}],"request_id":"x","age_ms":1,"unknown":{}}"""),
        "/v1/credentials/checkout" => Reply.Json(Secret),
        "/v1/credentials/release" => Reply.Json("""{"released":1,"remaining_holders":0}"""),
        "/v1/endpoints/find" => Reply.Json(
            """{"endpoints":[{"endpoint_id":"e1","name":"web01","hostname":"web01.corp.test","ip_address":null,"port":3389,"method":"rdp","comments":"","network_id":"blue"}],"truncated":false,"age_ms":0}"""),
        "/v1/sessions/start" => Reply.Problem(501, "unsupported", "this gateway starts no sessions"),
        "/v1/sessions/started" => Reply.NoContent(),
        "/v1/sessions/complete" => Reply.Json("""{"released":2}"""),
        _ => Reply.Problem(404, "not_found", "no such route"),
    };

    internal static string Secret { get; } = JsonSerializer.Serialize(new
    {
        credential_id = "c1",
        kind = "password",
        username = @"CORP\adm",
        account = "adm",
        domain = "CORP",
        password = Password,
        lease = new { id = "l1" },
    });

    public void Dispose()
    {
        Plugin.Dispose();
        Folder.Dispose();
    }
}

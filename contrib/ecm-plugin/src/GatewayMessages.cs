// SPDX-License-Identifier: Apache-2.0
// The JSON of the gateway's API as far as the plug-in needs it. Members that the API promises and the plug-in uses must
// be there with their type; unknown members are ignored. An answer counts only after Check() has found nothing missing.

using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Jumpgate.EcmPlugin;

/// <summary>An answer that can say whether it is complete.</summary>
internal interface IAnswer
{
    /// <summary>The name of a member that is missing, or null.</summary>
    string? Missing();
}

internal sealed record CapabilityFlags
{
    public bool? CredentialsUsed { get; init; }

    public bool? EndpointSearch { get; init; }

    public bool? HealthCheck { get; init; }

    public bool? SessionComplete { get; init; }

    public bool? SessionStarted { get; init; }

    public bool? StartSession { get; init; }
}

internal sealed record CapabilitiesAnswer(CapabilityFlags? Capabilities) : IAnswer
{
    public string? Missing() => Capabilities switch
    {
        null => "capabilities",
        { CredentialsUsed: null } => "capabilities.credentials_used",
        { EndpointSearch: null } => "capabilities.endpoint_search",
        { HealthCheck: null } => "capabilities.health_check",
        { SessionComplete: null } => "capabilities.session_complete",
        { SessionStarted: null } => "capabilities.session_started",
        { StartSession: null } => "capabilities.start_session",
        _ => null,
    };
}

internal sealed record HealthCheck(string? Name, bool? Ok, string? Detail);

internal sealed record HealthAnswer(bool? Healthy, List<HealthCheck?>? Checks) : IAnswer
{
    public string? Missing() =>
        Healthy is null ? "healthy"
        : Checks is null ? "checks"
        : Checks.Exists(check => check?.Name is null || check.Ok is null) ? "checks[].name and .ok"
        : null;

    /// <summary>The failed checks in words.</summary>
    internal string Reason() => string.Join("; ", Checks!.Where(check => check!.Ok == false)
        .Select(check => string.IsNullOrEmpty(check!.Detail) ? check.Name : $"{check.Name}: {check.Detail}"));
}

internal sealed record Credential(string? CredentialId, string? DisplayValue);

internal sealed record CredentialsAnswer(List<Credential?>? Credentials) : IAnswer
{
    public string? Missing() =>
        Credentials is null ? "credentials"
        : Credentials.Exists(one => string.IsNullOrEmpty(one?.CredentialId) || one.DisplayValue is null)
            ? "credentials[].credential_id and .display_value"
        : null;
}

internal sealed record SecretAnswer(
    string? CredentialId, string? Kind, string? Username, string? Password, string? PrivateKey, string? Passphrase) : IAnswer
{
    internal const string PasswordKind = "password";
    internal const string KeyKind = "ssh_key";

    public string? Missing() =>
        string.IsNullOrEmpty(CredentialId) ? "credential_id"
        : string.IsNullOrEmpty(Kind) ? "kind"
        : Username is null ? "username"
        : Kind == PasswordKind && Password is null ? "password"
        : Kind == KeyKind && PrivateKey is null ? "private_key"
        : null;

    /// <summary>Names the secret without showing it.</summary>
    public override string ToString() => $"secret of {CredentialId}";
}

internal sealed record ReleasedAnswer(int? Released) : IAnswer
{
    public string? Missing() => Released is null ? "released" : null;
}

internal sealed record EndpointRow(
    string? EndpointId, string? Name, string? Hostname, string? IpAddress, int? Port, string? Method, string? Comments,
    string? NetworkId);

internal sealed record EndpointsAnswer(List<EndpointRow?>? Endpoints) : IAnswer
{
    public string? Missing() =>
        Endpoints is null ? "endpoints"
        : Endpoints.Exists(one => one is not { Name: not null, Hostname: not null, Method: not null })
            ? "endpoints[].name, .hostname and .method"
        : null;
}

/// <summary>A failure as RFC 9457 writes it.</summary>
internal sealed record ProblemAnswer(string? Code, string? Detail);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, MaxDepth = 32)]
[JsonSerializable(typeof(CapabilitiesAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(CredentialsAnswer))]
[JsonSerializable(typeof(SecretAnswer))]
[JsonSerializable(typeof(ReleasedAnswer))]
[JsonSerializable(typeof(EndpointsAnswer))]
[JsonSerializable(typeof(ProblemAnswer))]
internal sealed partial class GatewayJson : JsonSerializerContext;

/// <summary>The session as every operation sends it. What is not known is left out.</summary>
internal sealed record GatewaySession
{
    internal string? Id { get; init; }

    internal string? Lsid { get; init; }

    internal required string Username { get; init; }

    internal string? Domain { get; init; }

    internal string? Method { get; init; }

    internal string? ComputerName { get; init; }

    internal string? Hostname { get; init; }

    internal string? IpAddress { get; init; }

    internal string? Name { get; init; }

    internal int? Port { get; init; }

    internal string? Application { get; init; }

    internal string? NetworkId { get; init; }

    /// <summary>The person, as the log names one.</summary>
    internal string Person => Domain is null ? Username : $@"{Domain}\{Username}";

    /// <summary>The machine, as the log names one.</summary>
    internal string? Host => ComputerName ?? Hostname ?? IpAddress ?? Name ?? Application;

    /// <summary>A request body: the session and what <paramref name="more"/> adds.</summary>
    internal byte[] Body(Action<Utf8JsonWriter>? more = null)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WritePropertyName("session");
            Write(writer);
            more?.Invoke(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    private void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        Text(writer, "id", Id);
        Text(writer, "lsid", Lsid);
        writer.WriteStartObject("user");
        writer.WriteString("username", Username);
        Text(writer, "domain", Domain);
        writer.WriteEndObject();
        writer.WriteStartObject("jump_item");
        Text(writer, "method", Method);
        Text(writer, "computer_name", ComputerName);
        Text(writer, "hostname", Hostname);
        Text(writer, "ip_address", IpAddress);
        Text(writer, "name", Name);
        if (Port is { } port)
        {
            writer.WriteNumber("port", port);
        }
        Text(writer, "application", Application);
        Text(writer, "network_id", NetworkId);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void Text(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }
}
